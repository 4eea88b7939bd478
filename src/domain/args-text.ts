// Writes arguments on one line, as lists of runs show them: `version=2.14 canary=10`.

import type { JsonObject, JsonValue } from './job.ts';

const mostChars = 200;
const mostValueChars = 60;

/** @param args the arguments, with secrets redacted */
export function argsText(args: JsonObject): string {
  let text = '';
  for (const [name, value] of Object.entries(args)) {
    if (text.length > mostChars) break;
    text += `${text === '' ? '' : ' '}${name}=${argText(value)}`;
  }
  return cut(text, mostChars);
}

/** Writes a value for a person: text without spaces unchanged, and everything else as JSON. */
function argText(value: JsonValue): string {
  const isPlain = typeof value === 'string' && /^[^\s"]+$/.test(value);
  return cut(isPlain ? value : JSON.stringify(value), mostValueChars);
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
