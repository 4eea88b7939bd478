// Makes untrusted text safe for a terminal: it removes everything that could move the cursor, set the clipboard or
// reorder letters. A script's output keeps its colours.

import { characters } from './characters.ts';

/** Control characters, line and paragraph separators, and characters that change the direction of text. */
const unsafe = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const escapeCharacter = String.fromCharCode(0x1b);
const sgr = new RegExp(`${escapeCharacter}\\[([\\d;]*)m`, 'g');

/** Returns the text as one line. */
export function cleaned(text: string): string {
  return text.replaceAll('\t', '  ').replaceAll(/\r?\n/g, '⏎').replaceAll(unsafe, '�');
}

/** Returns a line of output from the character `from` on, with or without its colours. */
export function cleanedOutput(message: string, o: { readonly from?: number; readonly hasColours: boolean }): string {
  let left = o.from ?? 0;
  let hasStyle = false;
  let line = '';
  const add = (text: string): void => {
    const all = left > 0 ? characters(text) : null;
    line += all ? all.slice(left).join('') : text;
    left = Math.max(0, left - (all?.length ?? 0));
  };
  let at = 0;
  for (const found of message.matchAll(sgr)) {
    add(cleaned(message.slice(at, found.index)));
    at = found.index + found[0].length;
    const parameters = o.hasColours ? visibleStyles(found[1] ?? '') : null;
    if (parameters === null) continue;
    hasStyle = true;
    line += `${escapeCharacter}[${parameters}m`;
  }
  add(cleaned(message.slice(at)));
  return hasStyle ? `${line}${escapeCharacter}[0m` : line;
}

/** The largest number of a style or of a colour component. */
const mostCode = 255;

/** Removes styles that hide text or make it blink; null if no style is left. */
function visibleStyles(parameters: string): string | null {
  const given = parameters.split(';').map(Number);
  // A larger number could be written as `1e+21`, and its `e` would end the sequence and move the cursor.
  if (given.some((code) => code > mostCode)) return null;
  const kept: number[] = [];
  for (let i = 0; i < given.length; i++) {
    const code = given[i] ?? 0;
    if (code === 38 || code === 48) {
      const length = given[i + 1] === 5 ? 3 : given[i + 1] === 2 ? 5 : 1;
      if (length > 1 && i + length <= given.length) kept.push(...given.slice(i, i + length));
      i += length - 1;
    } else if (isVisible(code)) {
      kept.push(code);
    }
  }
  return kept.length > 0 ? kept.join(';') : null;
}

function isVisible(code: number): boolean {
  return (
    code <= 4 || code === 7 || (code >= 21 && code <= 49 && code !== 25 && code !== 28) || (code >= 90 && code <= 107)
  );
}
