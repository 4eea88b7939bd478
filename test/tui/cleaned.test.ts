import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cleaned, cleanedOutput } from '../../src/tui/cleaned.ts';

const sgr = new RegExp(`${String.fromCharCode(0x1b)}\\[[\\d;]+m`, 'g');
const coloured = { hasColours: true };

test.each([
  ['plain text', 'plain text'],
  ['a\tb', 'a  b'],
  ['two\nlines\r\n', 'two⏎lines⏎'],
  ['\u{1b}[2Jgone', '�[2Jgone'],
  ['bell\u{7} and back\u{8}', 'bell� and back�'],
  ['one-byte \u{9b}31m', 'one-byte �31m'],
  ['turned \u{202e}round', 'turned �round'],
  ['\u{1b}[31mred', '�[31mred'],
])('%j is shown as %j', (text, shown) => {
  expect(cleaned(text)).toBe(shown);
});

test.each([
  ['\u{1b}[31mred\u{1b}[0m', '\u{1b}[31mred\u{1b}[0m\u{1b}[0m'],
  ['\u{1b}[1;38;5;200mpink', '\u{1b}[1;38;5;200mpink\u{1b}[0m'],
  ['\u{1b}[38;2;1;2;3mrgb', '\u{1b}[38;2;1;2;3mrgb\u{1b}[0m'],
  ['\u{1b}[mreset', '\u{1b}[0mreset\u{1b}[0m'],
  ['\u{1b}[8mhidden\u{1b}[5mblinking', 'hiddenblinking'],
  ['\u{1b}[31;8mred', '\u{1b}[31mred\u{1b}[0m'],
  ['\u{1b}[38;5mcut', 'cut'],
  ['\u{1b}[38;5;1000000000000000000000mmoved', 'moved'],
  [`\u{1b}[48;5;${'9'.repeat(400)}mmoved`, 'moved'],
  ['\u{1b}[?25lcursor', '�[?25lcursor'],
  ['\u{1b}]8;;http://x\u{7}link', '�]8;;http://x�link'],
])('the output %j is shown as %j', (message, shown) => {
  expect(cleanedOutput(message, coloured)).toBe(shown);
});

test('colours can be turned off', () => {
  expect(cleanedOutput('\u{1b}[31mred\u{1b}[0m', { hasColours: false })).toBe('red');
});

test('a line that is cut at its beginning keeps the colours of that column', () => {
  expect(cleanedOutput('ab\u{1b}[31mcd\u{1b}[0mef', { from: 3, hasColours: true })).toBe(
    '\u{1b}[31md\u{1b}[0mef\u{1b}[0m',
  );
  expect(cleanedOutput('a👨‍👩‍👧b', { from: 2, hasColours: true })).toBe('b');
  expect(cleanedOutput('ab', { from: 9, hasColours: true })).toBe('');
});

test('of the control characters that a script prints, only those in SGR sequences reach the terminal', () => {
  const hostile = fc.string({
    unit: fc.constantFrom('\u{1b}', '[', ']', '3', '1', ';', 'm', 'J', '?', '\u{7}', '\u{9b}', 'a', '\n', '\u{202e}'),
    maxLength: 40,
  });
  fc.assert(
    fc.property(hostile, fc.boolean(), (message, hasColours) => {
      const left = cleanedOutput(message, { hasColours }).replaceAll(sgr, '');
      expect(left).not.toMatch(/[\p{Cc}\u{202e}]/u);
    }),
  );
});
