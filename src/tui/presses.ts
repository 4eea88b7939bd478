// Delivers key presses one at a time, even if several arrive from the terminal at once.

import type { Key } from 'ink';
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { characters } from './characters.ts';

/**
 * `key` is a name such as `up`, `enter` or `ctrl-s`, or the character itself. `text` is the text that a text field
 * inserts.
 */
export type Press = { readonly key: string; readonly text: string };

const named = [
  ['upArrow', 'up'],
  ['downArrow', 'down'],
  ['leftArrow', 'left'],
  ['rightArrow', 'right'],
  ['pageUp', 'pageup'],
  ['pageDown', 'pagedown'],
  ['home', 'home'],
  ['end', 'end'],
  ['return', 'enter'],
  ['escape', 'esc'],
  ['backspace', 'backspace'],
  ['delete', 'delete'],
] as const satisfies readonly (readonly [keyof Key, string])[];

const controls: Readonly<Record<string, string>> = {
  '\r': 'enter',
  '\r\n': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\u{7f}': 'backspace',
};

export function toPresses(input: string, key: Key): Press[] {
  if (key.tab) return [{ key: key.shift ? 'shift-tab' : 'tab', text: '' }];
  for (const [flag, name] of named) if (key[flag]) return [{ key: name, text: '' }];
  if (key.ctrl && input !== '') return [{ key: `ctrl-${input.toLowerCase()}`, text: '' }];
  if (key.meta) return [];
  return characters(input).flatMap((character) => {
    const control = controls[character];
    if (control) return [{ key: control, text: '' }];
    if (!/\p{Cc}/u.test(character)) return [{ key: character, text: character }];
    const code = character.charCodeAt(0);
    return code >= 1 && code <= 26 ? [{ key: `ctrl-${String.fromCharCode(code + 96)}`, text: '' }] : [];
  });
}

/** Turns pasted text into a key press. Line breaks become `\n`, as scripts expect. */
export function toPaste(text: string): Press {
  return { key: 'paste', text: text.replaceAll(/\r\n?/g, '\n') };
}

/**
 * Delivers presses one by one. Each waits until the screen has been drawn with the changes of the press before. For
 * example, `/` opens the search, and the search text may arrive together with it.
 */
export function usePressQueue(deliver: (press: Press) => void): (presses: readonly Press[]) => void {
  const waiting = useRef<Press[]>([]);
  const [delivered, setDelivered] = useState(0);
  const latest = useRef(deliver);
  useLayoutEffect(() => {
    latest.current = deliver;
  });
  const next = useCallback(() => {
    const press = waiting.current[0];
    if (!press) return;
    latest.current(press);
    setDelivered((count) => count + 1);
  }, []);
  useEffect(() => {
    if (delivered === 0) return undefined;
    const soon = setImmediate(() => {
      waiting.current.shift();
      next();
    });
    return () => clearImmediate(soon);
  }, [delivered, next]);
  return (presses) => {
    const isIdle = waiting.current.length === 0;
    waiting.current.push(...presses);
    if (isIdle) next();
  };
}
