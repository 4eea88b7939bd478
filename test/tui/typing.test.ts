// Key presses, the text that they change, and the rows that they select.

import type { Key } from 'ink';
import { expect, test } from 'vitest';
import { type Press, toPaste, toPresses } from '../../src/tui/presses.ts';
import { editText, emptyText, type TextEdit, textOf } from '../../src/tui/text-edit.ts';
import { moved, windowAround } from '../../src/tui/windowed.ts';

const noKey = {} as Key;

function edited(from: TextEdit, ...keys: readonly string[]): TextEdit | null {
  return keys.reduce<TextEdit | null>((edit, key) => {
    const press: Press = key.length > 1 ? { key, text: '' } : { key, text: key };
    return edit && editText(edit, press);
  }, from);
}

test('a chunk of input is split into single key presses', () => {
  expect(toPresses('/a\r', noKey).map(({ key }) => key)).toEqual(['/', 'a', 'enter']);
  expect(toPresses('x\t\u{7f}\u{13}\u{0}', noKey).map(({ key }) => key)).toEqual(['x', 'tab', 'backspace', 'ctrl-s']);
  expect(toPresses('s', { ctrl: true } as Key)).toEqual([{ key: 'ctrl-s', text: '' }]);
  expect(toPresses('', { tab: true, shift: true } as Key)).toEqual([{ key: 'shift-tab', text: '' }]);
  expect(toPresses('', { upArrow: true } as Key)).toEqual([{ key: 'up', text: '' }]);
  expect(toPresses('x', { meta: true } as Key)).toEqual([]);
});

test('a paste is one key press, with the line breaks that scripts expect', () => {
  expect(toPaste('a\r\nb\rc')).toEqual({ key: 'paste', text: 'a\nb\nc' });
});

test('a text is edited by whole characters, even an emoji that consists of several code points', () => {
  expect(edited(emptyText, 'a', 'b', 'left', 'x')).toEqual({ text: 'axb', cursor: 2 });
  expect(edited(textOf('a👨‍👩‍👧b'), 'left', 'backspace')).toEqual({ text: 'ab', cursor: 1 });
  expect(edited(textOf('abc'), 'home', 'delete', 'end', 'backspace')).toEqual({ text: 'b', cursor: 1 });
  expect(edited(textOf('abc'), 'left', 'ctrl-u')).toEqual({ text: 'c', cursor: 0 });
  expect(edited(emptyText, 'backspace', 'delete', 'left', 'right')).toEqual(emptyText);
  expect(edited(emptyText, 'enter')).toBeNull();
});

test('the visible part of a list contains the selected row', () => {
  expect(windowAround(5, 4, 10)).toEqual({ start: 0, end: 5 });
  expect(windowAround(100, 0, 10)).toEqual({ start: 0, end: 10 });
  expect(windowAround(100, 50, 10)).toEqual({ start: 45, end: 55 });
  expect(windowAround(100, 99, 10)).toEqual({ start: 90, end: 100 });
  expect(windowAround(0, 0, 10)).toEqual({ start: 0, end: 0 });
});

test('keys do not move out of a list', () => {
  expect(moved(0, 'up', 5, 3)).toBe(0);
  expect(moved(3, 'pagedown', 5, 3)).toBe(4);
  expect(moved(3, 'g', 5, 3)).toBe(0);
  expect(moved(0, 'G', 0, 3)).toBe(0);
  expect(moved(0, 'x', 5, 3)).toBeNull();
});
