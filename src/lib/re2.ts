// Regular expressions that match in linear time. Few jobs have a pattern, so the library is loaded with the first
// pattern.

import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export function re2(): typeof import('re2js') {
  return require('re2js');
}
