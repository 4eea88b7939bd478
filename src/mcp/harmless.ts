// Makes text of jobs and their authors harmless for an agent: it removes characters that a person would not see, and
// marks each line. Marks do not stop a model from believing what it reads. Scopes and approvals limit what it can do
// then.

import { cutText, oneLine, plainText } from '../lib/plain-text.ts';

export const mark = '| ';

/** Puts `| ` before each line, so that a line of a job cannot look like a line of flwd. */
export function marked(text: string, mostChars = Number.POSITIVE_INFINITY): string {
  return cutText(plainText(text).trimEnd(), mostChars).replaceAll(/^/gm, mark);
}

/** Returns the text as one marked line; empty if there is no text. */
export function markedLine(text: string, mostChars: number): string {
  const line = oneLine(text, mostChars);
  return line && `${mark}${line}`;
}

/** Cleans every text and every member's name in the value. */
export function harmlessValue(value: unknown): unknown {
  if (typeof value === 'string') return plainText(value);
  if (Array.isArray(value)) return value.map(harmlessValue);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [plainText(name), harmlessValue(member)]));
}
