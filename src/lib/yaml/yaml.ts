// Loads the library `yaml`, which knows where each value of a YAML text is. It is loaded only when it is needed: most
// starts read only plain texts without errors, and simple-yaml.ts reads these faster.

import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export function yaml(): typeof import('yaml') {
  return require('yaml');
}
