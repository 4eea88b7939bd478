// The help screen. It shows all keys, in as many columns as the available rows require.

import type { ReactElement } from 'react';
import { type Cell, cells } from './line.ts';

const keys: readonly (readonly [string, string] | readonly [string])[] = [
  ['Everywhere'],
  ['↑ ↓ PgUp PgDn', 'choose, scroll'],
  ['Enter', 'open'],
  ['Esc', 'back'],
  ['Ctrl-C', 'quit at once'],
  ['Ctrl-Z', 'suspend'],
  ['Outside forms'],
  ['1  2', 'jobs, runs'],
  ['g  G', 'first, last'],
  ['/', 'search'],
  ['q', 'back, or quit'],
  ['Form'],
  ['Tab  ↑ ↓', 'next field'],
  ['Space ← →', 'next choice'],
  ['Enter', 'add to a list'],
  ['Ctrl-S', 'start'],
  ['Runs'],
  ['s', 'filter status'],
  ['c  unfinished', 'cancel, kill'],
  ['a  d  waiting', 'approve, deny'],
  ['r  finished', 'rerun'],
  ['l', 'lowest level'],
  ['n  N', 'next, previous'],
  ['f', 'follow the log'],
  ['← →', 'move sideways'],
  ['Tab', 'steps or log'],
];

export function helpLines(rows: number): ReactElement[] {
  const columns = Math.ceil(keys.length / rows);
  const height = Math.ceil(keys.length / columns);
  return Array.from({ length: height }, (_, row) =>
    cells(Array.from({ length: columns }, (_, column) => cellsOf(keys[column * height + row])).flat(), row),
  );
}

function cellsOf(entry: readonly [string, string] | readonly [string] | undefined): Cell[] {
  const [left = '', right] = entry ?? [];
  return [
    { spans: [right === undefined ? { text: left, isBold: true } : { text: left, colour: 'cyan' }], width: 15 },
    { spans: [right ?? ''], width: 15 },
  ];
}
