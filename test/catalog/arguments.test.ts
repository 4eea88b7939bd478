import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkArgspec } from '../../src/catalog/arguments/argspec.ts';
import { checkArguments } from '../../src/catalog/arguments/arguments.ts';
import { findSecretArgs } from '../../src/catalog/arguments/secret-arguments.ts';
import { isObject } from '../../src/catalog/arguments/subschemas.ts';
import { createErrorList } from '../../src/domain/error-list.ts';
import type { JsonObject, JsonValue } from '../../src/domain/job.ts';
import type { ValidationError } from '../../src/domain/problem.ts';
import { expectWithin, msOf } from '../support/goes.ts';

function jobWith(argspec: JsonObject) {
  return { argspec, secretArgs: findSecretArgs(argspec) };
}

function object(properties: JsonObject, more: JsonObject = {}): JsonObject {
  return { type: 'object', properties, ...more };
}

const jsonValue = fc.json().map((text): JsonValue => JSON.parse(text));

function check(argspec: JsonObject, args: JsonObject): { args: JsonObject; errors: readonly ValidationError[] } {
  const list = createErrorList();
  const checked = checkArguments(jobWith(argspec), args, list);
  return { args: checked, errors: list.errors() };
}

/** Returns `pointer message` for each error. */
function errorsIn(argspec: JsonObject, args: JsonObject): string[] {
  expect(checkArgspec(argspec), 'the argspec').toEqual([]);
  return check(argspec, args).errors.map(({ pointer, message }) => `${pointer} ${message}`);
}

function argsOf(argspec: JsonObject, args: JsonObject): JsonObject {
  const checked = check(argspec, args);
  expect(checked.errors).toEqual([]);
  return checked.args;
}

describe('arguments', () => {
  const backup = object(
    {
      target: { type: 'string', format: 'path' },
      keep: { type: 'integer', minimum: 1, maximum: 365, default: 7 },
      mode: { enum: ['full', 'incremental'] },
      options: { type: 'object', properties: { level: { type: 'integer', default: 6 } }, additionalProperties: false },
    },
    { required: ['target'] },
  );

  test('defaults are filled in, also in objects, and the caller’s object stays unchanged', () => {
    const sent = { target: '/mnt', options: {} };
    expect(argsOf(backup, sent)).toEqual({ target: '/mnt', keep: 7, options: { level: 6 } });
    expect(sent).toEqual({ target: '/mnt', options: {} });
  });

  test('every error is found at once, each at the member itself', () => {
    expect(errorsIn(backup, { keep: '7', mode: 'fast', taget: 'x', options: { levle: 1, 'a/b~c': 2 } })).toEqual([
      '/args/target `target` is missing',
      '/args/taget unknown argument `taget`: did you mean `target`?',
      '/args/keep must be an integer, not a string',
      '/args/mode must be one of "full", "incremental"',
      '/args/options/levle unknown member `levle`: did you mean `level`?',
      '/args/options/a~1b~0c unknown member `a/b~c`: only `level` is known here',
    ]);
  });

  test('text is not converted to a number, nor a number to text', () => {
    const argspec = object({ n: { type: 'number' }, s: { type: 'string' }, b: { type: 'boolean' } });
    expect(errorsIn(argspec, { n: '1', s: 1, b: 'true' })).toEqual([
      '/args/n must be a number, not a string',
      '/args/s must be a string, not a number',
      '/args/b must be true or false, not a string',
    ]);
  });

  test('numbers beyond what JavaScript can hold are refused rather than changed', () => {
    const argspec = object({ i: { type: 'integer' }, any: {} });
    expect(errorsIn(argspec, JSON.parse('{"i": 9007199254740993, "any": 1e999}'))).toEqual([
      '/args/any is too large for a number',
      '/args/i must be at most 9007199254740991',
    ]);
  });

  test.each<[JsonValue, JsonValue, string]>([
    [{ type: 'string', minLength: 3 }, 'ab', 'must have at least 3 characters'],
    [{ type: 'string', maxLength: 1 }, 'ab', 'must have at most 1 character'],
    [{ type: 'string', pattern: '^a+$' }, 'b', 'must match the pattern "^a+$"'],
    [{ type: 'string', format: 'date-time' }, 'now', 'must be a valid date-time'],
    [{ type: 'string', format: 'made-up' }, 'x', ''],
    [{ type: 'number', exclusiveMinimum: 0 }, 0, 'must be more than 0'],
    [{ type: 'number', multipleOf: 0.5 }, 0.7, 'must be a multiple of 0.5'],
    [{ type: 'number', multipleOf: 0.05 }, 0.35, ''],
    [{ type: 'number', multipleOf: 0.05 }, 0.351, 'must be a multiple of 0.05'],
    [{ type: 'integer', multipleOf: 7 }, 1_000_000_000_000, 'must be a multiple of 7'],
    [{ type: 'array', items: { type: 'string' }, minItems: 2 }, ['a'], 'must have at least 2 items'],
    [
      { type: 'array', uniqueItems: true },
      [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ],
      'must not contain the same item twice',
    ],
    [{ type: 'array', uniqueItems: true }, [{ a: 1 }, { a: '1' }, [], '[]'], ''],
    [{ const: 5 }, 6, 'must be 5'],
    [{ type: ['string', 'null'] }, 5, 'must be a string or null, not a number'],
    [{ not: { type: 'string' } }, 'x', 'must not have this form'],
  ])('%j given %j: %s', (schema, value, message) => {
    expect(errorsIn(object({ x: schema }), { x: value })).toEqual(message === '' ? [] : [`/args/x ${message}`]);
  });

  test('unknown arguments are refused unless the argspec allows them', () => {
    expect(errorsIn({ type: 'object' }, { x: 1 })).toEqual(['/args/x unknown argument `x`']);
    expect(errorsIn({ type: 'object', additionalProperties: true }, { x: 1 })).toEqual([]);
    const composed = object({ a: {} }, { allOf: [{ properties: { b: {} } }] });
    expect(errorsIn(composed, { a: 1, b: 2 })).toEqual([]);
    expect(errorsIn(composed, { c: 1 })).toEqual(['/args/c unknown argument `c`: only `a` is known here']);
  });

  test('an open argspec accepts no name that becomes a reserved variable', () => {
    const open = object({ target: {} }, { additionalProperties: { type: 'string' } });
    expect(
      errorsIn(open, { PATH: '/evil', 'x y': 'a', constructor: 'b', Target: 'c', target: 'd', fine: 'e' }),
    ).toEqual([
      '/args/PATH the argument name is a reserved name',
      '/args/x y the argument name is not a variable name: use letters, digits and `_`, and do not begin with a digit',
      '/args/constructor the argument name is a reserved name',
      '/args/target would become the same variable as `Target`',
    ]);
  });

  test('a prototype cannot be reached through arguments', () => {
    const open = object({ o: { type: 'object' } }, { additionalProperties: true });
    const hostile = JSON.parse('{"__proto__": {"polluted": 1}, "o": {"__proto__": {"polluted": 1}}}');
    expect(errorsIn(open, hostile)).toEqual([
      '/args/__proto__ is not an allowed name',
      '/args/o/__proto__ is not an allowed name',
    ]);
    expect(errorsIn(object({ o: object({}, { required: ['toString'] }) }), { o: {} })).toEqual([
      '/args/o/toString `toString` is missing',
    ]);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test('a NUL, half a surrogate pair, a name over 1,024 characters and nesting over 64 levels are refused', () => {
    const open = object({}, { additionalProperties: true });
    expect(errorsIn(open, { a: 'x\0', b: ['\ud800'] })).toEqual([
      '/args/a must not contain a NUL character',
      '/args/b/0 must be well-formed Unicode',
    ]);
    expect(errorsIn(open, { ['n'.repeat(1_025)]: 1, ['n'.repeat(1_024)]: 1 })).toEqual([
      `/args/${'n'.repeat(1_025)} has a name longer than 1024 characters`,
    ]);
    const deep = JSON.parse(`{"a": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`);
    expect(errorsIn(open, deep)).toEqual([`/args/a${'/0'.repeat(64)} must not be nested deeper than 64 levels`]);
  });

  test.each([
    ['in items', { items: { type: 'integer' } }],
    ['by a reference', { items: { $ref: '#/$defs/whole' } }],
    ['by a reference of a reference', { $ref: '#/$defs/wholes' }],
  ])(
    'with tens of thousands of errors, found %s, a hundred are listed and the others counted, without delay',
    async (_where, schema) => {
      const $defs = { whole: { type: 'integer' }, wholes: { items: { $ref: '#/$defs/whole' } } };
      const argspec = object({ list: { type: 'array', ...schema } }, { $defs });
      let errors: readonly string[] = [];
      const read = () => {
        errors = errorsIn(argspec, { list: Array.from({ length: 50_000 }, () => 'x') });
      };
      await expectWithin(2_000, () => msOf(read));
      expect(errors).toHaveLength(101);
      expect(errors.at(-1)).toBe(' has 49900 more errors');
      expect(errors[99]).toBe('/args/list/99 must be an integer, not a string');
    },
  );

  test('when a value fits one form of an anyOf, the errors of the other forms are dropped', () => {
    const texts = { type: 'array', items: { type: 'string' } };
    const argspec = object({ list: { anyOf: [{ type: 'array', items: { type: 'integer' } }, texts] }, n: texts });
    const list = Array.from({ length: 5_000 }, () => 'x');
    expect(errorsIn(argspec, { list })).toEqual([]);
    expect(errorsIn(argspec, { list, n: [1] })).toEqual(['/args/n/0 must be a string, not a number']);
    const late = object({ n: texts, list: { anyOf: [{ type: 'array', items: { type: 'integer' } }, texts] } });
    expect(errorsIn(late, { n: Array.from({ length: 3_000 }, () => 1), list })).toHaveLength(101);
  });

  test('the check never throws, whatever the arguments are', () => {
    const argspec = object(
      { a: { type: 'integer' }, token: { type: 'string', format: 'secret' } },
      { required: ['a'] },
    );
    fc.assert(
      fc.property(
        fc.dictionary(fc.oneof(fc.constantFrom('a', 'token', '__proto__'), fc.string()), jsonValue),
        (args) => {
          const { errors } = check(argspec, args);
          expect(errors.every(({ pointer }) => pointer.startsWith('/args'))).toBe(true);
        },
      ),
    );
  });
});

describe('secrets', () => {
  const argspec = object(
    {
      token: { type: 'string', format: 'secret', minLength: 8 },
      key: { type: 'string', format: 'secret', default: { secret: 'stored-key' } },
    },
    { required: ['token'] },
  );

  test('a secret can be given as its value or as a stored secret, and its default must be a stored secret', () => {
    expect(argsOf(argspec, { token: 'long enough' })).toEqual({ token: 'long enough', key: { secret: 'stored-key' } });
    expect(argsOf(argspec, { token: { secret: 'registry' }, key: 'mine, plainly' })).toEqual({
      token: { secret: 'registry' },
      key: 'mine, plainly',
    });
  });

  test('a secret that is missing, too short to redact, or of another form is refused', () => {
    expect(errorsIn(argspec, {})).toEqual(['/args/token `token` is missing']);
    expect(errorsIn(argspec, { token: 'abcdefgh', key: 'abc' })).toEqual([
      '/args/key a secret must have at least 4 bytes',
    ]);
    expect(errorsIn(argspec, { token: { secret: '../x' } })).toEqual(['/args/token must be a string']);
    expect(errorsIn(argspec, { token: { secret: 'a', more: 1 } })).toEqual(['/args/token must be a string']);
  });

  test('an error never repeats the value', () => {
    const picky = object({ token: { type: 'string', format: 'secret', pattern: '^x', enum: ['x'] } });
    expect(JSON.stringify(check(picky, { token: 'hunter2' }).errors)).not.toContain('hunter2');
  });
});

describe('a hostile argspec and hostile arguments', () => {
  test('a pattern on which a backtracking RegExp would never end is matched quickly', () => {
    const argspec = object({ x: { type: 'string', pattern: '^(a+)+$' } }, { patternProperties: { '^(b+)+$': {} } });
    expect(errorsIn(argspec, { x: `${'a'.repeat(50_000)}!`, [`${'b'.repeat(1_000)}c`]: 1 })).toHaveLength(2);
  });

  test('patterns with the same text do not affect each other', () => {
    const argspec = object({ x: { type: 'string', pattern: '^a$' }, y: { type: 'string', pattern: '^b$' } });
    expect(errorsIn(argspec, { x: 'a', y: 'b' })).toEqual([]);
  });

  test('schemas that refer to each other are followed as deep as the arguments go', () => {
    const tree = object(
      { root: { $ref: '#/$defs/node' } },
      {
        $defs: {
          node: {
            $anchor: 'n',
            type: 'object',
            properties: { name: { type: 'string' }, children: { type: 'array', items: { $ref: '#n' } } },
            additionalProperties: false,
          },
        },
      },
    );
    expect(errorsIn(tree, { root: { children: [{ name: 'a', children: [{ name: 1 }] }] } })).toEqual([
      '/args/root/children/0/children/0/name must be a string, not a number',
    ]);
  });

  test('a check of alternatives whose number doubles with every level is stopped', () => {
    const argspec = object(
      { x: { $ref: '#/$defs/a' } },
      {
        $defs: {
          a: {
            anyOf: [
              { items: { $ref: '#/$defs/a' }, not: {} },
              { items: { $ref: '#/$defs/a' }, not: {} },
            ],
          },
        },
      },
    );
    const deep = JSON.parse(`{"x": ${'['.repeat(60)}${']'.repeat(60)}}`);
    expect(errorsIn(argspec, deep)).toEqual(['/args take too long to check']);
  });

  test('uniqueItems is fast for a long list of objects', () => {
    const argspec = object({ x: { type: 'array', uniqueItems: true } });
    const list = Array.from({ length: 50_000 }, (_, at) => ({ at }));
    expect(errorsIn(argspec, { x: list })).toEqual([]);
    expect(errorsIn(argspec, { x: [...list, { at: 7 }] })).toEqual(['/args/x must not contain the same item twice']);
  });

  test('a long text is not checked against the format url', () => {
    expect(errorsIn(object({ x: { type: 'string', format: 'url' } }), { x: `http://${'a:'.repeat(100_000)}` })).toEqual(
      ['/args/x must be a valid url'],
    );
  });

  test('every schema that passes the check can be used', () => {
    const leaf = fc.constantFrom<JsonValue>(
      true,
      false,
      { type: 'string' },
      { type: ['integer', 'null'], default: 1 },
      { enum: [1, 'a', null] },
      { const: { a: 1 } },
      { $ref: '#' },
      { $ref: '#/$defs/d' },
      { $dynamicRef: '#/$defs/d' },
      { pattern: '^\\d+$', format: 'uri' },
      { 'x-note': 1, id: 'x', nullable: true },
      { minContains: 3, maxContains: 1, contains: true },
      { multipleOf: 0.1, required: ['a'] },
      { $async: true },
      { $id: 'x:y' },
      { discriminator: { propertyName: 'a' } },
      { dependentRequired: { a: ['b'] } },
    );
    const { schema } = fc.letrec<{ schema: JsonValue }>((tie) => {
      const under = (key: string) => tie('schema').map((inner): JsonValue => ({ [key]: inner }));
      const listed = (key: string) => tie('schema').map((inner): JsonValue => ({ [key]: [inner, {}] }));
      const named = (key: string) => tie('schema').map((inner): JsonValue => ({ [key]: { a: inner } }));
      return {
        schema: fc.oneof(
          { maxDepth: 5, withCrossShrink: true },
          { arbitrary: leaf, weight: 3 },
          fc.tuple(tie('schema'), tie('schema')).map(([a, b]) => (isObject(a) && isObject(b) ? { ...a, ...b } : a)),
          ...['items', 'contains', 'not', 'if', 'then', 'else', 'propertyNames', 'unevaluatedProperties'].map(under),
          ...['allOf', 'anyOf', 'oneOf', 'prefixItems'].map(listed),
          ...['properties', 'patternProperties', 'dependentSchemas'].map(named),
        ),
      };
    });
    const argspec = fc.record({
      type: fc.constant('object'),
      properties: fc.dictionary(fc.constantFrom('a', 'b'), schema),
      $defs: fc.record({ d: schema }),
      additionalProperties: fc.constant(true),
    });
    let passed = 0;
    fc.assert(
      fc.property(argspec, fc.dictionary(fc.constantFrom('a', 'b', 'xx'), jsonValue), (spec, args) => {
        if (checkArgspec(spec).length > 0) return;
        passed += 1;
        const { errors } = check(spec, args);
        expect(errors.filter(({ keyword }) => keyword === 'argspec')).toEqual([]);
      }),
      { numRuns: 300 },
    );
    expect(passed).toBeGreaterThan(30);
  });
});
