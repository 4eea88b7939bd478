// Text that others wrote, without what a person would not see, and cut to a length.

import { stripVTControlCharacters } from 'node:util';

/** Controls, directions of writing, joiners, tags and everything else that has no width. */
const invisible = /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2028\u2029]/gu;

/** Keeps line feeds and tabs. */
export function plainText(text: string): string {
  // Without the terminal's sequences first: the rest of one, such as an address, would stay as text.
  const plain = stripVTControlCharacters(text.toWellFormed()).replaceAll(/\r\n?/g, '\n');
  return plain.replaceAll(invisible, (found) => (found === '\n' || found === '\t' ? found : ''));
}

export function oneLine(text: string, mostChars: number): string {
  return cutText(plainText(text).replaceAll(/\s+/g, ' ').trim(), mostChars);
}

/** A line of a log, with its indentation and the gaps between its columns. */
export function logLine(text: string, mostChars: number): string {
  return cutText(plainText(text).replaceAll('\n', ' ').trimEnd(), mostChars);
}

export function cutText(text: string, mostChars: number): string {
  return text.length > mostChars ? `${text.slice(0, mostChars - 1).toWellFormed()}…` : text;
}
