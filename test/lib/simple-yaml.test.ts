import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDocument, stringify } from 'yaml';
import { readSimpleYaml } from '../../src/lib/yaml/simple-yaml.ts';

/** How many texts the quick reader has read. A reader that leaves every text to `yaml` would pass any comparison. */
let accepted = 0;

function bothAgree(text: string): void {
  const quick = readSimpleYaml(text);
  if (quick === undefined) return;
  accepted += 1;
  const document = parseDocument(text, { logLevel: 'silent' });
  expect([...document.errors, ...document.warnings], text).toEqual([]);
  // The results are compared as JSON, which does not distinguish -0 from 0.
  expect(JSON.stringify(quick), text).toBe(JSON.stringify(document.toJS()));
}

const scalar = fc.constantFrom(
  ...`a|Daily backup|./run.sh|2.1.0|1|-1|+5|007|1.5|1.|.5|1e3|1_000|30s|0x1f|true|False|yes|null|~|.inf|2026-01-01|0 3 * * *
http://x/y:z|a#b|a:b|x,y|a]b|"q"|"a # b"|"\\u00e9\\n"|'it''s'|'a: b'|[]|{}|[a, b]|[1, "x, y", 'z']|{a: 1, b: [c]}|[ a , b ]
{a: b:c}|[a b, c d]|{a: {b: {c: d}}}|$x|(a)|_|/a/b|é|-x|*a|&a b|!t x|>|[a, b|{a b}|"a" b|a: b|- a|? x|@x|%x|it's|say "x"
[a,b]|{a: 1,b: 2}|=|<`.split(/[|\n]/),
);
const key = fc.constantFrom('a', 'b', 'name', 'x-y', 'z.z', '_q', 'k1', 'True', 'nullx', '"k"', '1', 'é', 'a b', '<<');
const ending = fc.constantFrom('', '', '', ' ', ' # c', '# c', '\n', '\n# c', '\n    # c');
const indent = fc.constantFrom(1, 2, 2, 2, 4);

/** The lines of a block, as a person might write them. */
const { block } = fc.letrec<{ block: string[]; below: string[] }>((tie) => ({
  block: fc.oneof(
    { maxDepth: 4 },
    fc
      .array(fc.tuple(key, fc.constantFrom(' ', ' ', '  ', ''), scalar, ending), { minLength: 1, maxLength: 4 })
      .map((members) => members.map(([name, space, value, end]) => `${name}:${space}${value}${end}`)),
    fc
      .array(fc.tuple(scalar, ending), { minLength: 1, maxLength: 3 })
      .map((items) => items.map(([value, end]) => `- ${value}${end}`)),
    fc
      .tuple(key, ending, indent, tie('block'))
      .map(([name, end, by, lines]) => [`${name}:${end}`, ...shifted(lines, by)]),
    fc.tuple(key, tie('block')).map(([name, lines]) => [`${name}:`, ...lines]),
    fc.tuple(indent, tie('block')).map(([by, lines]) => {
      const [first = '', ...others] = lines;
      return [`-${' '.repeat(by)}${first}`, ...shifted(others, by + 1)];
    }),
    fc.tuple(tie('block'), tie('block')).map(([first, second]) => [...first, ...second]),
  ),
  below: tie('block'),
}));

function shifted(lines: readonly string[], by: number): string[] {
  return lines.map((line) => ' '.repeat(by) + line);
}

test('js-yaml and yaml read the same from a job file in ordinary YAML', () => {
  accepted = 0;
  fc.assert(
    fc.property(block, (lines) => bothAgree(lines.join('\n'))),
    { numRuns: 5_000 },
  );
  expect(accepted).toBeGreaterThan(500);
});

test('js-yaml and yaml read the same from a job file with a stray character, or only yaml reads it', () => {
  const stray = fc.constantFrom(...'-?:,[]{}#&*!|>\'"%@`~ \n\t\r=<+.0\u0000\u00a0\u2028\ufeff'.split(''));
  fc.assert(
    fc.property(block, fc.nat(), stray, (lines, at, character) => {
      const text = lines.join('\n');
      const place = at % (text.length + 1);
      bothAgree(text.slice(0, place) + character + text.slice(place));
    }),
    { numRuns: 5_000 },
  );
});

test('js-yaml and yaml read the same from signs and words of YAML in any order, or only yaml reads them', () => {
  const layout = ['|', '|-', '|2', ' ', '  ', '\n', '\n', '\n  ', '\n  ', '\n    ', '\t', '\r', '\r\n'];
  const unusual = ['\u0000', '\u0007', '\u0085', '\u00a0', '\u2028', '\ufeff', '\ud800'];
  const words = [
    ...'a name 1 0x1f 1.5 ~ null true -0 +1 0o7 .inf 1e400 2026-01-01 <<: __proto__ é 😀 = \\n \\x41 "x" \'y\''.split(
      ' ',
    ),
    ...'- |-\n|: |:|? |?|,|, |&a|*a|!t |!!str |!|>|>-\n|>+|#| # c|"|\'|[|]|{|}|\\|%|@|`|\n---\n|\n...\n'.split('|'),
    ...layout,
    ...unusual,
  ];
  const text = fc.tuple(
    fc.constantFrom('', 'a: 1\n', 'a:\n  b: '),
    fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 12 }),
  );
  accepted = 0;
  fc.assert(
    fc.property(text, ([beginning, more]) => bothAgree(beginning + more.join(''))),
    { numRuns: 20_000 },
  );
  expect(accepted).toBeGreaterThan(1_000);
});

test('js-yaml and yaml read the same from what yaml writes, or only yaml reads it', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom(2, 4), fc.boolean(), (value, indentBy, indentSeq) => {
      bothAgree(stringify(value, { indent: indentBy, indentSeq, lineWidth: 0 }));
    }),
    { numRuns: 1_000 },
  );
});

const plain = [
  '',
  '# nothing',
  'a',
  '- a\n- b\nc: d',
  '~: 1',
  '__proto__: 1',
  'a: 1e400',
  'a: .inf',
  '1e400: 1',
  'a: "\\0"',
  `${'k'.repeat(1025)}: 1`,
];
const nodes = [
  'a: 1\na: 2',
  'a: &x 1',
  'a: *x',
  'a: &x {b: *x}',
  'a: &x {b: 1}\n<<: *x',
  'a: !!binary aGk=',
  'a: !!float 1',
];
const files = [
  '%YAML 1.1\n---\na: yes',
  'a: 1\n---\nb: 2',
  'a:\n\tb: 1',
  'a: 1\rb: 2',
  'a: >+\n\n  ',
  'a: |1\n    ',
  'a:\n-  "k"-: 1',
  'a:\n- "k" b: 1',
  "a:\n- 'k''s' b: 1",
  'a:\n- {k: 1} b: 1',
];

test.each([...plain, ...nodes, ...files])('only yaml reads an unusual text: %j', (text) => {
  expect(readSimpleYaml(text)).toBeUndefined();
});

test('a value that only YAML 1.1 knows is text, as in YAML 1.2', () => {
  expect(readSimpleYaml('a: yes\nb: 1_000\nc: 2026-01-01\nd: 017\n<<: {e: 1}')).toEqual({
    a: 'yes',
    b: '1_000',
    c: '2026-01-01',
    d: 17,
    '<<': { e: 1 },
  });
});
