// Strings and patterns that would keep a backtracking matcher busy forever, wherever the server matches text.

import { fullFormats } from 'ajv-formats/dist/formats.js';
import { expect, test } from 'vitest';
import { checkArgspec } from '../../src/catalog/arguments/argspec.ts';
import { compileArgspec, TooManySteps } from '../../src/catalog/arguments/argument-check.ts';
import { compileGlob, compilePattern } from '../../src/catalog/arguments/linear-pattern.ts';
import { evaluateExpression } from '../../src/catalog/expression/expression.ts';
import { jobOfLine } from '../../src/cli/import/crontab-job.ts';
import { isMediaType } from '../../src/domain/media-type.ts';
import { createArtifactGlob } from '../../src/exec/collect/artifact-glob.ts';
import { parseTimestampUs } from '../../src/lib/clock.ts';
import { parseCron } from '../../src/lib/cron/cron.ts';
import { isTimezone } from '../../src/lib/timezone.ts';
import { nearestSize, parseDuration, parseSize } from '../../src/lib/units.ts';
import { isLocalHost, isLocalOrigin } from '../../src/server/admission/local-names.ts';
import { parseRange } from '../../src/server/answers/byte-range.ts';
import { attachment } from '../../src/server/answers/content-disposition.ts';
import { preferredType } from '../../src/server/answers/preferred-type.ts';

/** Enough for one megabyte in linear time, even on a busy machine. Backtracking would take minutes. */
const mostMs = 3_000;
const longest = 1_000_000;

const units = [
  'a',
  '1',
  '0',
  'a.',
  'a-',
  '-',
  '.',
  '/',
  ':',
  '::',
  '1:',
  'a:',
  '@',
  'a@',
  '%',
  '%41',
  '{',
  '{a}',
  '(',
  '[',
  '\\',
  ' ',
  '\t',
  '=',
  '==',
  'AAAA',
  '+',
  '#',
  '?',
  '&',
  '//',
  '~0',
  '~',
  '1.',
  '25',
  'P1',
  'T1',
  'é',
  '💣',
  '"',
  ';',
  ',',
  '*',
  '_',
];
const beginnings = [
  '',
  'http://',
  'http://a@',
  'mailto:',
  'urn:',
  'urn:x:',
  '/',
  '#/',
  '2026-01-01T',
  'P',
  'data:',
  '[',
  '::',
  '^(a+)+$',
];

function hostile(length: number): string[] {
  return units.flatMap((unit) => {
    const text = unit.repeat(Math.floor(length / unit.length));
    return [`${text}!`, `${text}\n`];
  });
}

function timed(what: string, work: () => unknown): void {
  // The CPU time of this thread, which does not depend on how busy the machine is.
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  const tookMs = Math.round((user + system) / 1_000);
  if (tookMs > mostMs) expect.fail(`${what} took ${tookMs} ms`);
}

test.each(Object.keys(fullFormats))('the format %s is checked in linear time', (format) => {
  const check = compileArgspec({ type: 'object', properties: { x: { type: 'string', format } } });
  timed('short texts', () => {
    for (const beginning of beginnings) for (const text of hostile(3_000)) check({ x: beginning + text });
  });
  for (const beginning of ['', 'http://', 'urn:x:']) {
    for (const text of hostile(100_000))
      timed(`${beginning}${text.slice(0, 8)}…`, () => check({ x: beginning + text }));
  }
  for (const unit of ['a', '1', '%41', 'a.', '{a}', 'AAAA', '(']) {
    timed(`a megabyte of ${unit}`, () => check({ x: unit.repeat(longest / unit.length) }));
  }
});

const evil = [
  '^(a+)+$',
  '^(a|a)*$',
  '^(a|aa)+$',
  '(.*)*x',
  '^(\\w+\\s?)*$',
  '(a*)*b',
  '^([a-z]+)*\\d$',
  '(?:(?:a+)+)+x',
  '.*.*.*.*=.*',
];

test.each(evil)('the pattern %s of a job or of an expression is matched in linear time', (source) => {
  const pattern = compilePattern(source);
  for (const text of [`${'a'.repeat(100_000)}!`, 'a '.repeat(50_000)]) timed(source, () => pattern.test(text));
  timed('in an expression', () =>
    evaluateExpression(`args.x.matches(${JSON.stringify(source)})`, {
      args: { x: `${'a'.repeat(100_000)}!` },
      steps: new Map(),
      run: {},
    }),
  );
});

test('patterns that RE2 would unroll or does not support make the job invalid', () => {
  const wrong = [
    '(a{1000}){1000}',
    '((a{100}){100}){100}',
    '(?=a)',
    '(?<!a)b',
    '(a)\\1',
    '['.repeat(2_000),
    '('.repeat(100_000),
  ];
  for (const pattern of wrong) {
    timed(pattern.slice(0, 20), () => {
      const errors = checkArgspec({ type: 'object', properties: { x: { type: 'string', pattern } } });
      expect(errors).not.toEqual([]);
    });
  }
});

test('a schema with patterns for names checks ten thousand names in linear time', () => {
  const patterns = evil.slice(0, 6).map((pattern) => [pattern, { type: 'integer' }]);
  const check = compileArgspec({ type: 'object', patternProperties: Object.fromEntries(patterns) });
  const names = Array.from({ length: 10_000 }, (_, at) => [`${'a'.repeat(60)}${at}!`, 'x']);
  timed('the names', () => {
    try {
      check(Object.fromEntries(names));
    } catch (error) {
      expect(error).toBeInstanceOf(TooManySteps);
    }
  });
});

test.each([
  '**/'.repeat(300),
  '*a'.repeat(500),
  '*'.repeat(5_000),
  '{a,b}'.repeat(500),
  '{'.repeat(3_000),
  '[a-z]*'.repeat(300),
  '**/*'.repeat(200),
])('the glob %s is matched in linear time', (glob) => {
  const path = 'a/'.repeat(2_000);
  timed('of an artifact', () => {
    const made = createArtifactGlob(glob);
    made.matches(path);
    made.matches('a'.repeat(4_000));
    made.reachesBelow(path);
  });
  timed('of .flwdignore', () => {
    const made = compileGlob(glob);
    made.test(path);
    made.test('a'.repeat(4_000));
  });
});

function readCrontabCommand(text: string): unknown {
  const entry = { kind: 'entry', line: 1, text, times: ['@daily'], user: null, input: null } as const;
  const line = { ...entry, command: `x ${text}`, environment: {}, endsWithReturn: false };
  return jobOfLine(line, { place: 'a crontab', user: 'ada', timezone: 'UTC', homeOf: () => '/' });
}

test.each<[string, (text: string) => unknown]>([
  ['a time', parseTimestampUs],
  ['a duration', parseDuration],
  ['a size', parseSize],
  ['a size that is meant', nearestSize],
  ['a media type', isMediaType],
  ['a range', (text) => parseRange(`bytes=${text}`, 10)],
  ['a file name', attachment],
  ['a host', isLocalHost],
  ['an origin', (text) => isLocalOrigin(`http://localhost${text}`)],
  ['a command of a crontab', readCrontabCommand],
  ['what is accepted', (text) => preferredType(text, ['application/json', 'text/plain'])],
])('%s is read in linear time', (_what, read) => {
  for (const text of hostile(100_000)) timed(text.slice(0, 8), () => read(text));
});

test('a cron pattern and a time zone are read in linear time', () => {
  for (const text of hostile(256)) {
    timed(text.slice(0, 8), () => {
      parseCron(text, 'UTC');
      parseCron(`${text} * * * *`, 'UTC');
      isTimezone(text);
    });
  }
  for (const never of ['0 0 30 2 *', '0 0 31 2,4,6,9,11 *', '59 23 29 2 0', '* * 31 11 *']) {
    timed(never, () => {
      const times = parseCron(never, 'Europe/Berlin');
      if ('next' in times) times.next(Date.parse('2026-01-01T00:00:00Z'));
    });
  }
});
