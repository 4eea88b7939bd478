// The library that knows where each value of a YAML text is. Most starts read only plain texts without errors, which
// simple-yaml.ts reads faster, so it is loaded when it is first asked for.

import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export function yaml(): typeof import('yaml') {
  return require('yaml');
}
