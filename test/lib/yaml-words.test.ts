// Errors in YAML are explained in plain words.

import { expect, test } from 'vitest';
import { LineCounter, parseDocument } from 'yaml';
import { documentWords, ownErrors } from '../../src/lib/yaml/yaml-words.ts';

function errorsIn(text: string): string[] {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  return ownErrors([...document.errors, ...document.warnings]).map((error) => {
    const { line, col } = lineCounter.linePos(error.pos[0]);
    return `${line}:${col}: ${documentWords(error, document, lineCounter)}`;
  });
}

test.each([
  ['name: "open\n', '2:1: the text that begins with " has no closing "'],
  ["name: 'open\n", "2:1: the text that begins with ' has no closing '"],
  ['list: [a, b\nname: x', '2:1: the list that begins with `[` has no closing `]`, or its next line is not indented'],
  ['{a: 1\n', '2:1: the mapping that begins with `{` has no closing `}`, or its next line is not indented'],
  ['a: b: c', '1:4: a text that contains `: ` needs quotes; or the line below is indented too far'],
  ['a: b\n  c: d', '1:4: a text that contains `: ` needs quotes; or the line below is indented too far'],
  ['a: 1\n- b', '2:1: this line is not a key with `: `, or its indentation differs from the lines above'],
  ['a:\n\tb: 1', '2:1: a tab cannot indent a line: use spaces'],
  ['a: @home', '1:4: a text cannot begin with @: put it in quotes'],
  ['a: %x', '1:4: a text cannot begin with %: put it in quotes'],
  ['a: "\\q"', '1:5: \\q means nothing in double quotes: use single quotes'],
  ['a: 1\na: 2', '2:1: `a` occurs twice, first on line 1: merge the two'],
  ['a: 1\nb:\n  c: 1\n  a: 1\n  "c": 1', '5:3: `c` occurs twice, first on line 3: merge the two'],
  ['b: [x,\n {a: 1, a: 2}]', '2:9: `a` occurs twice, first on line 2: merge the two'],
  ['a: *', '1:4: a text cannot begin with `*` or `&`: put it in quotes'],
  ['a: !run x', '1:4: there is no tag !run: put it in quotes if it is a text'],
  ['a: [x,, y]', '1:7: there is one , too many'],
  ['a: {b: echo ${c}}', '1:14: a text that contains `{` needs quotes'],
  ['a: {b: echo [c]}', '1:13: a text that contains `[` needs quotes'],
  ['a: "x" y', '1:8: a value ends before this text: put the whole value in quotes'],
  ['a: x]\nb: [y]]', '2:7: there is one ] too many'],
])('the error in %j is explained', (text, error) => {
  expect(errorsIn(text)[0]).toBe(error);
});

test('errors without an explanation are left out, unless the first error has no explanation', () => {
  const misplaced = 'args:\ncommand: ./main.py\n  - {name: a, type: string, default: x}\n  - {name: b}\n';
  const words = 'a text that contains `: ` needs quotes; or the line below is indented too far';
  expect(errorsIn(misplaced)).toEqual(['2:10', '3:12', '3:21', '3:38'].map((place) => `${place}: ${words}`));
  expect(errorsIn('a: "x" y\nb: "x" y\n')).toHaveLength(1);
  expect(errorsIn('a: "x" y\nb: [y\n')).toHaveLength(2);
});

test('no message of the YAML library is shown', () => {
  const hostile = [
    'a: |x\n  b',
    '&a &b c',
    'a: [b: c: d]',
    '? a\n: b\n  - c',
    '%YAML 9.9\n---\na',
    'a: !!int x',
    '- a\n b',
  ];
  const all = hostile.flatMap((text) => errorsIn(text));
  expect(all.join(' ')).not.toMatch(/implicit|scalar|collection|block|token|node|map/i);
});
