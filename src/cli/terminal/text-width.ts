// Measures how many columns of a terminal a text takes. The library string-width is loaded only for the few texts that
// need it. Loading it takes longer than a short command does, because V8 compiles its regular expressions for all
// emoji.

import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** Each of these characters takes one column. */
const plain = /^[ -~…✓✗–·]*$/;

export function textWidth(text: string): number {
  if (plain.test(text)) return text.length;
  const { default: stringWidth }: typeof import('string-width') = require('string-width');
  return stringWidth(text);
}
