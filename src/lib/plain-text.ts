// Limits the length of text that others wrote, and removes what a person would not see.

import { stripVTControlCharacters } from 'node:util';

/** Control characters, marks of writing direction, joiners, tags, and everything else that has no width. */
const invisible = /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2028\u2029]/gu;

const sign = '\uFFFD';
const escapeCharacter = '\u001b';

/** Makes text safe to show. Line feeds and tabs stay. */
export function plainText(text: string): string {
  // Terminal sequences are removed before single characters. Otherwise the rest of a sequence, such as an address,
  // would stay as text.
  const plain = stripVTControlCharacters(text.toWellFormed()).replaceAll(/\r\n?/g, '\n');
  return plain.replaceAll(invisible, shownFor);
}

/**
 * Some characters are replaced by a sign. Redaction does not look for a secret across such a character, so the two
 * parts of the secret must not be joined here.
 */
function shownFor(found: string): string {
  if (found === '\n' || found === '\t') return found;
  const isAlone = found < ' ' && found !== '\0' && found !== escapeCharacter;
  return isAlone || found === '\u007f' ? sign : '';
}

/**
 * Caches the answers for 16-bit characters: 1 is visible, 2 is invisible, 0 is not known yet. Looking up a Unicode
 * property takes 50 ns.
 */
const known = new Uint8Array(0x10000);

/** Whether a reader does not see the character. Characters that end or indent a line do not count as invisible. */
export function isInvisible(code: number): boolean {
  if (code < 0 || code > 0x10ffff) return false;
  const before = known[code];
  if (before) return before === 2;
  const isHidden = String.fromCodePoint(code).replace(invisible, '') === '' && ![9, 10, 13].includes(code);
  if (code < known.length) known[code] = isHidden ? 2 : 1;
  return isHidden;
}

export function oneLine(text: string, mostChars: number): string {
  return cutText(plainText(text).replaceAll(/\s+/g, ' ').trim(), mostChars);
}

/** Cleans a line of a log. Its indentation and the gaps between its columns stay. */
export function logLine(text: string, mostChars: number): string {
  return cutText(plainText(text).replaceAll('\n', ' ').trimEnd(), mostChars);
}

export function cutText(text: string, mostChars: number): string {
  return text.length > mostChars ? `${text.slice(0, mostChars - 1).toWellFormed()}…` : text;
}
