// Where flwd.yaml is looked for.

import { join } from 'node:path';

/** The first that is there is the one. */
export function configPlaces(cwd: string, home: string): readonly string[] {
  return [join(cwd, 'flwd.yaml'), join(home, '.config/flwd/flwd.yaml'), '/etc/flwd/flwd.yaml'];
}
