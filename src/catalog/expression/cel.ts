// Loads CEL, the language of expressions. The library is loaded for the first expression, because many instances have
// no expression.

import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export function cel(): typeof import('@marcbachmann/cel-js') {
  return require('@marcbachmann/cel-js');
}
