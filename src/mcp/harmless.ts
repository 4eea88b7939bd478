// Makes text that jobs and their authors wrote harmless for an agent: without what a person would not see, and marked
// line by line. Marks do not stop a model from believing what it reads; scopes and approvals limit what it can do then.

import { cutText, oneLine, plainText } from '../lib/plain-text.ts';

export const mark = '| ';

/** Each line begins with `| `, so a line of a job cannot pass for a line of flwd. */
export function marked(text: string, mostChars = Number.POSITIVE_INFINITY): string {
  return cutText(plainText(text).trimEnd(), mostChars).replaceAll(/^/gm, mark);
}

/** The text in one line with its mark; empty if there is no text. */
export function markedLine(text: string, mostChars: number): string {
  const line = oneLine(text, mostChars);
  return line && `${mark}${line}`;
}

/** Every text in the value, and every name. */
export function harmlessValue(value: unknown): unknown {
  if (typeof value === 'string') return plainText(value);
  if (Array.isArray(value)) return value.map(harmlessValue);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [plainText(name), harmlessValue(member)]));
}
