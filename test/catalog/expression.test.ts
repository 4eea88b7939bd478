import { describe, expect, test } from 'vitest';
import {
  checkExpression,
  type ExpressionScope,
  evaluateArguments,
  evaluateCondition,
  evaluateExpression,
  evaluateItems,
} from '../../src/catalog/expression/expression.ts';
import type { JsonObject } from '../../src/domain/job.ts';
import { expectWithin, msOf } from '../support/goes.ts';

const strange: JsonObject = JSON.parse('{"constructor": "a", "__proto__": {"b": 1}, "toString": 2}');
const long = Array.from({ length: 10_000 }, (_, at) => at);

const scope: ExpressionScope = {
  args: { env: 'production', whole: 2, part: 1.5, mixed: [1, 2.5, 'x', null], strange, long, nothing: null },
  steps: new Map([
    ['build-it', { status: 'success', outputs: { tag: 'v1', list: '["a", "b"]', lines: 'a\r\n\nb\n' } }],
    ['test', { status: 'failed', outputs: {} }],
  ]),
  run: { id: 'run_01', labels: { team: 'ops' } },
};

const valueIn = (text: string, args: JsonObject = {}) =>
  evaluateExpression(text, { ...scope, args: { ...scope.args, ...args } });

test.each([
  ['args.env == "production" && args.whole > 1', true],
  ['args["env"]', 'production'],
  ['steps["build-it"].outputs.tag', 'v1'],
  ['steps.test.status == "failed" || run.labels.team == "dev"', true],
  ['has(steps.test.outputs.tag)', false],
  ['"tag" in steps["build-it"].outputs', true],
  ['has(args.absent) ? args.absent : "none"', 'none'],
  ['args.nothing == null', true],
  ['steps.exists(id, steps[id].status == "failed")', true],
  ['args.mixed', [1, 2.5, 'x', null]],
  ['args.env.matches("^(prod|live)")', true],
  ['args.env.split("u").join("-")', 'prod-ction'],
  ['{"a": [args.whole, 1.5], "b": {}}', { a: [2, 1.5], b: {} }],
  ['args.long.filter(n, n % 5000 == 1).map(n, n * 2)', [2, 10_002]],
])('the expression %s has the value %j', (text, value) => {
  expect(valueIn(text)).toEqual(value);
});

test('integers and fractions can be mixed', () => {
  expect(valueIn('args.whole == 2 && args.whole == 2.0 && args.whole < 2.5 && args.part > 1')).toBe(true);
  expect(valueIn('2.5 in args.mixed && args.mixed.exists(x, x == 1.0)')).toBe(true);
  expect([valueIn('args.whole * args.part'), valueIn('args.whole + 1'), valueIn('7 / args.whole')]).toEqual([3, 3, 3]);
});

test('int reads only a text that is a whole number, and an empty text is not 0', () => {
  for (const [text, value] of [
    ['int("+12") + int("-5")', 7],
    ['int(args.whole) + int(args.part) + int(2.9)', 5],
    ['int(args.text)', -7],
  ] as const)
    expect(valueIn(text, { text: '-7' })).toBe(value);
  for (const text of ['', ' ', '1.5', '0b1', '0x1f', 'x', '9223372036854775808'])
    expect(() => valueIn('int(args.text)', { text })).toThrow('`int` needs a text that is a whole number');
  expect(checkExpression('int([1])')).toContain("no matching overload for 'int(list");
});

test('an argument may have any name and any text', () => {
  expect(JSON.stringify(valueIn('args.strange'))).toBe(JSON.stringify(strange));
  expect(valueIn('args.strange.constructor')).toBe('a');
  expect(valueIn('args.text', { text: '" + args.env + "\u0000\n${x}' })).toBe('" + args.env + "\u0000\n${x}');
  expect(() => valueIn('args.hasOwnProperty')).toThrow('no such key: hasOwnProperty');
});

test.each([
  ['steps["build-it"].outputs.list', ['a', 'b']],
  ['steps["build-it"].outputs.lines', ['a', 'b']],
  ['[1, "x"]', [1, 'x']],
  ['""', []],
  ['"[not json"', ['[not json']],
])('a foreach over %s has the items %j', (text, items) => {
  expect(evaluateItems(text, scope)).toEqual(items);
});

test('the arguments of a sub-run are literals or expressions; those of an instance may use its item and matrix', () => {
  const args = { a: 1, b: { from: 'item.name' }, c: { from: 'matrix.node' }, d: { from: 'x', other: 1 } };
  expect(evaluateArguments(args, { ...scope, item: { name: 'n' }, matrix: { node: 22 } })).toEqual({
    ...args,
    b: 'n',
    c: 22,
  });
  expect(() => evaluateArguments({ tag: { from: 'run.x' } }, scope)).toThrow('`tag`: no such key: x');
});

test.each([
  ['steps.test.outputs.tag', 'no such key: tag'],
  ['"v" + args.whole', 'no such overload: string + dyn<int>'],
  ['1 / 0', 'division by zero'],
  ['9007199254740993', 'the number 9007199254740993 cannot be represented in JSON'],
  ['1.0 / 0.0', 'the number Infinity cannot be represented in JSON'],
  ['args.env.matches("(?=a)")', 'RE2 does not accept the pattern: invalid or unsupported Perl syntax: `(?=`'],
])('%s has no value: %s', (text, message) => {
  expect(() => valueIn(text)).toThrow(message);
});

test('a condition must be true or false; any other value is refused', () => {
  expect(evaluateCondition('args.whole == 2', scope)).toBe(true);
  expect(() => evaluateCondition('args.env', scope)).toThrow('it gives a string, not true or false');
  expect(() => evaluateItems('args.whole', scope)).toThrow('it gives a number, not a list or a text');
});

test('a foreach over JSON accepts up to 64 levels of nesting, and text that is not JSON may have any depth', () => {
  const itemsOf = (list: string) => evaluateItems('args.text', { ...scope, args: { text: list } });
  const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
  expect(itemsOf(nested(64))).toHaveLength(1);
  for (const levels of [65, 10_000, 100_000]) {
    expect(() => itemsOf(nested(levels))).toThrow('it gives a list that is nested deeper than 64 levels');
  }
  expect(itemsOf('['.repeat(1_000))).toEqual(['['.repeat(1_000)]);
});

test.each([
  ['args.x ==', 'unexpected token: its end (character 10)'],
  ['args.x = 1', 'unexpected character: = (character 8): write == to compare two values'],
  ['1 + "a"', 'no such overload: int + string (character 1)'],
  ['cel.bind(a, 1, a)', /^there is no function `bind`: there are all, exists, /],
  ['timestamp("2024-01-01T00:00:00Z")', /^there is no function `timestamp`/],
  ['google', 'there is no name `google`: there are args, steps, run, item, matrix'],
  ['b"x"', 'it uses a value that JSON does not have: `b"…"` or `1u`'],
  [`"${'x'.repeat(2_000)}"`, 'it is longer than 2,000 characters'],
  [`${'('.repeat(60)}1${')'.repeat(60)}`, 'exceeded maxDepth (50) (character 51)'],
  [`[${'1,'.repeat(600)}1]`, /^exceeded max/],
  ['args.a.map(a, a).map(a, a).map(a, a).map(a, a).map(a, a)', /^it uses all, exists, .* more than 4 times in total/],
  [Array.from({ length: 18 }, () => 'args.a').join(' + '), 'it uses `+` more than 16 times'],
  ['args.a.map(a, a+a+a).map(a, a+a+a+a)', 'it uses `+` more than 4 times within all, exists, exists_one, map, filter'],
])('%s is refused as an expression', (text, message) => {
  expect(checkExpression(text)).toEqual(typeof message === 'string' ? message : expect.stringMatching(message));
});

describe('an expression that would stall the server is stopped', () => {
  const text = 'a'.repeat(130_000);

  test.each([
    ['args.long.all(x, args.long.all(y, args.long.all(z, x + y + z >= 0)))', {}, 'it takes longer than 50 ms'],
    ['args.long.map(x, args.long.filter(y, y > x))', {}, 'it takes longer than 50 ms'],
    [
      'args.long.exists(x, args.long == args.other)',
      { long: long.slice(0, 9_000), other: [...long.slice(0, 8_999), -1] },
      'it takes longer than 50 ms',
    ],
    [
      'args.text.contains(args.part)',
      { text, part: `${text.slice(0, 50_000)}b${text.slice(0, 50_000)}` },
      'it searches for a long text in another long text',
    ],
    [
      'args.text.lastIndexOf(args.part)',
      { text, part: `${text.slice(0, 100_000)}b` },
      'it searches for a long text in another long text',
    ],
    ['args.text', { text: text + text + text }, 'the values it uses contain more than 256 KiB of text'],
    [
      'args.list',
      { list: Array.from({ length: 20_001 }, () => 1) },
      'the values it uses contain more than 20,000 items',
    ],
    ['["", "", "", "", ""].join(args.text + args.text)', { text: text + text }, 'it joins a list to more than 1 MiB'],
    [
      '[args.text + args.text + args.text + args.text + args.text].map(a, a + a)',
      { text: text + text },
      'its value is larger than 1 MiB',
    ],
    [
      'args.list.map(a, a + a).map(a, a + a).map(a, a + a).map(a, a + a)',
      { list: [long] },
      /it takes longer than 50 ms|its value is larger than 1 MiB/,
    ],
    ['args.text.split("")', { text }, 'it splits a text into more than 20,000 parts'],
  ])('%s', async (expression, args, message) => {
    await expectWithin(1_000, () => msOf(() => expect(() => valueIn(expression, args)).toThrow(message)));
  });

  test('a pattern is matched in linear time', () => {
    expect(valueIn('args.text.matches("^(a*)*(a|b|c)*d$")', { text })).toBe(false);
  });

  test('the expression after one that was stopped still gives its value', () => {
    expect(() => valueIn('args.long.all(x, args.long.all(y, true))')).toThrow('it takes longer than 50 ms');
    expect(valueIn('args.long.all(x, x >= 0)')).toBe(true);
  });
});

test('only the values that an expression names are copied', () => {
  const steps = new Map(
    Array.from(
      { length: 500 },
      (_, at) => [`s${at}`, { status: 'success', outputs: { x: 'x'.repeat(10_000) } }] as const,
    ),
  );
  expect(evaluateExpression('steps.s499.status', { ...scope, steps })).toBe('success');
  expect(() => evaluateExpression('steps.map(s, steps[s].status)', { ...scope, steps })).toThrow(
    'the values it uses contain more than 256 KiB of text',
  );
});
