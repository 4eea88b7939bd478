// Cuts text to the length that a provider accepts. Text is measured after it has been escaped, and no escaped character
// is cut in half.

import type { Message } from '../message.ts';

export type Form = {
  /** Escapes one code point. */
  readonly escape?: (character: string) => string;
  readonly sizeOf?: (text: string) => number;
};

const asIs = (text: string): string => text;
const charsOf = (text: string): number => text.length;
export const bytesOf = (text: string): number => Buffer.byteLength(text);

/** Escapes the text and cuts it to the size `most`. */
export function fit(text: string, most: number, form: Form = {}): string {
  const { sizeOf = charsOf } = form;
  const whole = Array.from(text, form.escape ?? asIs);
  const total = whole.reduce((sum, each) => sum + sizeOf(each), 0);
  if (total <= most) return whole.join('');
  if (most < sizeOf('…')) return '';
  let room = most - sizeOf('…');
  const end = whole.findIndex((each) => {
    room -= sizeOf(each);
    return room < 0;
  });
  return `${whole.slice(0, end).join('')}…`;
}

/** Returns as many lines from the end as fit. If the last line alone is too long, it is cut. */
export function fitLines(lines: readonly string[], most: number, form: Form = {}): string {
  const { sizeOf = charsOf } = form;
  let text = '';
  for (const line of lines.toReversed()) {
    const escaped = fit(line, most, form);
    const longer = text === '' ? escaped : `${escaped}\n${text}`;
    if (sizeOf(longer) > most) break;
    text = longer;
  }
  return text;
}

/**
 * Returns the reason, the context, the log and the link as one text. If there is too little room, the log is cut first.
 */
export function fitBody(message: Message, most: number, form: Form = {}): string {
  const { sizeOf = charsOf } = form;
  const { url, command, where } = message;
  const link = url ?? (command === null ? null : `On ${where}: ${command}`);
  const context = `\n\n${fit(`${message.context}.`, most, form)}`;
  const end = link === null ? '' : `\n\n${fit(link, most, form)}`;
  const reason = fit(message.reason, most - sizeOf(context) - sizeOf(end), form);
  const room = most - sizeOf(reason) - sizeOf(context) - sizeOf(end) - 2;
  const lines = room > 0 ? fitLines(message.lines, room, form) : '';
  return `${reason}${context}${lines === '' ? '' : `\n\n${lines}`}${end}`;
}
