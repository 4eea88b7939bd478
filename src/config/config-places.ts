// The places where flwd looks for flwd.yaml.

import { join } from 'node:path';

/** flwd uses the first one that exists. */
export function configPlaces(cwd: string, home: string): readonly string[] {
  return [join(cwd, 'flwd.yaml'), join(home, '.config/flwd/flwd.yaml'), '/etc/flwd/flwd.yaml'];
}
