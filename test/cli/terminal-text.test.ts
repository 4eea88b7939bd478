import { expect, test } from 'vitest';
import { forTerminal } from '../../src/cli/terminal/terminal-text.ts';

test.each([
  ['plain', 'plain', 'plain'],
  ['\u001B[31mred\u001B[0m', '\u001B[31mred\u001B[0m\u001B[0m', 'red'],
  ['\u001B[38;5;9mred', '\u001B[38;5;9mred\u001B[0m', 'red'],
  ['\u001B]0;title\u0007after', '\uFFFD]0;title\uFFFDafter', '\uFFFD]0;title\uFFFDafter'],
  ['\u001B[2Jcleared', '\uFFFD[2Jcleared', '\uFFFD[2Jcleared'],
  ['\u009B31mC1', '\uFFFD31mC1', '\uFFFD31mC1'],
  ['10 %\r20 %\r30 %', '30 %', '30 %'],
  ['of Windows\r', 'of Windows', 'of Windows'],
  ['a\tb', 'a\tb', 'a\tb'],
  ['left\u202Eright', 'left\uFFFDright', 'left\uFFFDright'],
])('%j is shown as %j, and without colours as %j', (text, coloured, plain) => {
  expect(forTerminal(text, true)).toBe(coloured);
  expect(forTerminal(text, false)).toBe(plain);
});
