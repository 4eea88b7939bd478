// The language of expressions. Many instances have no expression, so the library is loaded with the first one.

import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export function cel(): typeof import('@marcbachmann/cel-js') {
  return require('@marcbachmann/cel-js');
}
