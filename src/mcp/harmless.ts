// Makes text that jobs and their authors wrote harmless for an agent: without what a person would not see, and marked
// line by line. Marks do not stop a model from believing what it reads; scopes and approvals limit what it can do then.

import { stripVTControlCharacters } from 'node:util';

/** Controls, directions of writing, joiners, tags and everything else that has no width. */
const invisible = /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2028\u2029]/gu;
const mark = '| ';

/** Keeps line feeds and tabs. */
export function harmless(text: string): string {
  // Without the terminal's sequences first: the rest of one, such as an address, would stay as text.
  const plain = stripVTControlCharacters(text.toWellFormed()).replaceAll(/\r\n?/g, '\n');
  return plain.replaceAll(invisible, (found) => (found === '\n' || found === '\t' ? found : ''));
}

export function oneLine(text: string, mostChars: number): string {
  return cut(harmless(text).replaceAll(/\s+/g, ' ').trim(), mostChars);
}

/** Each line begins with `| `, so a line of a job cannot pass for a line of flwd. */
export function marked(text: string, mostChars = Number.POSITIVE_INFINITY): string {
  return cut(harmless(text).trimEnd(), mostChars).replaceAll(/^/gm, mark);
}

/** Every text in the value, and every name. */
export function harmlessValue(value: unknown): unknown {
  if (typeof value === 'string') return harmless(value);
  if (Array.isArray(value)) return value.map(harmlessValue);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [harmless(name), harmlessValue(member)]));
}

function cut(text: string, mostChars: number): string {
  return text.length > mostChars ? `${text.slice(0, mostChars - 1).toWellFormed()}…` : text;
}
