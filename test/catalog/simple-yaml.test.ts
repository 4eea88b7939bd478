import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDocument, stringify } from 'yaml';
import { readSimpleYaml } from '../../src/catalog/job/simple-yaml.ts';

/** How many of the texts were read at all: a reader that leaves everything to the library would pass any comparison. */
let accepted = 0;

function bothAgree(text: string): void {
  const quick = readSimpleYaml(text);
  if (quick === undefined) return;
  accepted += 1;
  const document = parseDocument(text, { logLevel: 'silent' });
  expect([...document.errors, ...document.warnings], text).toEqual([]);
  // By way of JSON, which knows no -0.
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

/** Lines of a block, written as a person might. */
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

test('a file written plainly is read as the YAML library reads it', () => {
  accepted = 0;
  fc.assert(
    fc.property(block, (lines) => bothAgree(lines.join('\n'))),
    { numRuns: 5_000 },
  );
  expect(accepted).toBeGreaterThan(500);
});

test('a file with a stray character is read as the YAML library reads it, or left to it', () => {
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

test('what the YAML library writes is read as it was meant, or left to it', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom(2, 4), fc.boolean(), (value, indentBy, indentSeq) => {
      bothAgree(stringify(value, { indent: indentBy, indentSeq, lineWidth: 0 }));
    }),
    { numRuns: 1_000 },
  );
});

test.each(['', '# nothing', 'a', '- a\n- b\nc: d', 'a: 1\na: 2', 'a: &x 1', 'a: |\n  b', 'a:\n\tb: 1', '__proto__: 1'])(
  'a text out of the ordinary is left to the YAML library: %j',
  (text) => {
    expect(readSimpleYaml(text)).toBeUndefined();
  },
);
