// Comments and documents stay easy to read: see test/prose.ts for the rules, and `node test/prose.ts` for the findings.

import { expect, test } from 'vitest';
import { breachesOf, findingsIn, readDebt, readFindings } from './prose.ts';

test('no folder has more findings than test/prose-debt.json allows', () => {
  const findings = readFindings();
  expect(breachesOf(findings, readDebt())).toEqual([]);
});

test('a comment wider than 120 columns is a finding, and wide code is not', () => {
  const wide = 'word '.repeat(25);
  expect(whatIn('a.ts', `// ${wide}`)).toEqual(['wider than 120 columns']);
  expect(whatIn('a.ts', ` * ${wide}`)).toEqual(['wider than 120 columns']);
  expect(whatIn('a.ts', `call('${wide}');`)).toEqual([]);
  expect(whatIn('a.ts', `// biome-ignore ${wide}`)).toEqual([]);
});

test('a paragraph wider than 120 columns is a finding, and a table row, a code block and a lone link are not', () => {
  const wide = 'word '.repeat(25);
  expect(whatIn('a.md', wide)).toEqual(['wider than 120 columns']);
  expect(whatIn('a.md', `| ${wide} |`)).toEqual([]);
  expect(whatIn('a.md', `\`\`\`sh\n${wide}\n\`\`\``)).toEqual([]);
  expect(whatIn('a.md', `- [the page](https://example.org/${'a'.repeat(120)})`)).toEqual([]);
});

test.each([
  'A list has its items, or there is none.',
  'The server starts anew.',
  'It keeps ten runs at the most.',
  'The server lets go of the run.',
  'The engine sees to the rest.',
  'A job ends, and so does one that was disabled.',
  'It reads the file. Of the lines it keeps ten.',
  'Whoever holds the token may read.',
  'What is to become of the run.',
  'The next start takes up the run.',
  'The script gets what it was given.',
  'Others than the owner are refused.',
  'Wrong use of an option.',
  'Mend the file.',
  'It names the cure.',
  'The first fault is shown.',
])('"%s" is a finding in a comment, in a document and in a text', (sentence) => {
  expect(whatIn('a.ts', `// ${sentence}`)).toHaveLength(1);
  expect(whatIn('a.md', sentence)).toHaveLength(1);
  expect(whatIn('a.ts', `test('${sentence}', () => {});`)).toHaveLength(1);
});

test.each([
  'The profile is `none`, or "none".',
  'The job has none of these.',
  'What is flwd?',
  'Do this by default.',
  'The kernel reports a page fault.',
  'A log takes up space.',
  'Offline servers are skipped.',
])('"%s" is not a finding', (sentence) => {
  expect(whatIn('a.ts', `// ${sentence}`)).toEqual([]);
  expect(whatIn('a.md', sentence)).toEqual([]);
});

test('a folder may have as many findings as test/prose-debt.json allows, and no more', () => {
  const findings = [1, 2].map((line) => ({ file: 'src/lib/a.ts', line, what: 'wide' }));
  expect(breachesOf(findings, { 'src/lib': 2 })).toEqual([]);
  expect(breachesOf(findings, { 'src/lib': 1 })).toEqual([
    'src/lib has 2 findings and may have 1:\n  src/lib/a.ts:1 wide\n  src/lib/a.ts:2 wide',
  ]);
  expect(breachesOf(findings, {})).toHaveLength(1);
});

const whatIn = (file: string, text: string) => findingsIn(file, text).map(({ what }) => what);
