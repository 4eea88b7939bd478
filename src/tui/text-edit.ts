// One line of text being typed, with a cursor.

import { characters } from './characters.ts';
import type { Press } from './presses.ts';

export type TextEdit = {
  readonly text: string;
  /** The position of the cursor in UTF-16 units. It is never between the two halves of a character. */
  readonly cursor: number;
};

export const emptyText: TextEdit = { text: '', cursor: 0 };

export function textOf(text: string): TextEdit {
  return { text, cursor: text.length };
}

/** Returns null if the key does not edit text. */
export function editText({ text, cursor }: TextEdit, press: Press): TextEdit | null {
  const before = text.slice(0, cursor);
  const after = text.slice(cursor);
  const left = characters(before).at(-1)?.length ?? 0;
  const right = characters(after)[0]?.length ?? 0;
  switch (press.key) {
    case 'left':
      return { text, cursor: cursor - left };
    case 'right':
      return { text, cursor: cursor + right };
    case 'home':
    case 'ctrl-a':
      return { text, cursor: 0 };
    case 'end':
    case 'ctrl-e':
      return textOf(text);
    case 'backspace':
      return { text: before.slice(0, cursor - left) + after, cursor: cursor - left };
    case 'delete':
      return { text: before + after.slice(right), cursor };
    case 'ctrl-u':
      return { text: after, cursor: 0 };
    default:
      return press.text === '' ? null : { text: before + press.text + after, cursor: cursor + press.text.length };
  }
}
