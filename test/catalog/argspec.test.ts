import { describe, expect, test } from 'vitest';
import { checkArgspec } from '../../src/catalog/arguments/argspec.ts';
import { translateListForm } from '../../src/catalog/arguments/list-form.ts';
import type { JsonObject, JsonValue } from '../../src/domain/job.ts';

/** Returns `path message` for each error. */
function errorsIn(argspec: JsonObject): string[] {
  return checkArgspec(argspec).map(({ path, message }) => `${path.join('.')} ${message}`);
}

function argument(schema: JsonObject, more: JsonObject = {}): JsonObject {
  return { type: 'object', properties: { x: schema }, ...more };
}

test.each<[JsonObject, ...string[]]>([
  [{}, 'type `type` must be `object`'],
  [{ type: 'string' }, 'type `type` must be `object`'],
  [
    { $schema: 'http://json-schema.org/draft-07/schema#', type: 'object' },
    '$schema an argspec is JSON Schema 2020-12: https://json-schema.org/draft/2020-12/schema',
  ],
  [
    argument({ type: 'strng' }),
    'properties.x.type must be one of "array", "boolean", "integer", "null", "number", "object", "string"',
  ],
  [{ type: 'object', properties: { x: 5 } }, 'properties.x must be a map of keys or true or false'],
  [
    argument({}, { required: ['x', 'm'] }),
    'required.1 `properties` has no `m`, so no run could start: add it to `properties`, or remove it from `required`',
  ],
  [argument({ minLength: -1 }), 'properties.x.minLength must be at least 0'],
  [argument({ requird: ['a'] }), 'properties.x.requird unknown keyword `requird`: did you mean `required`?'],
  [argument({ nullable: true }), 'properties.x.nullable unknown keyword `nullable`: write `type: [string, "null"]`'],
  [argument({ enum: [] }), 'properties.x.enum `enum` must not be empty'],
  [argument({ type: 'integer', default: 'x' }), 'properties.x.default `default` must be of the type "integer"'],
  [
    argument({ pattern: '(?=a)' }),
    'properties.x.pattern the pattern cannot be used: invalid or unsupported Perl syntax: `(?=`',
  ],
  [
    argument({ pattern: '(a' }),
    'properties.x.pattern the pattern cannot be used: Invalid regular expression: /(a/u: Unterminated group',
  ],
  [
    argument({}, { patternProperties: { '(?<!b)a': {} } }),
    'patternProperties.(?<!b)a the pattern cannot be used: invalid named capture: `(?<!b)a`',
  ],
  [
    argument({ $ref: 'https://example.org/s.json' }),
    'properties.x.$ref `$ref` must begin with `#`: only schemas in the argspec itself can be used',
  ],
  [argument({ $ref: '#/$defs/gone' }), 'properties.x.$ref `$ref`: there is no schema at `#/$defs/gone`'],
  [argument({ $id: 'https://example.org/x' }), 'properties.x.$id `$id` is allowed only at the top'],
  [argument({ $ref: '#/properties/x' }), 'properties.x.$ref the reference leads back to itself'],
  [
    argument({ anyOf: [{ $ref: '#/$defs/a' }] }, { $defs: { a: { allOf: [{ $ref: '#/properties/x' }] } } }),
    'properties.x.anyOf.0.$ref the reference leads back to itself',
    '$defs.a.allOf.0.$ref the reference leads back to itself',
  ],
])('%j is refused', (argspec, ...errors) => {
  expect(errorsIn(argspec)).toEqual(errors);
});

const types = 'must be one of "array", "boolean", "integer", "null", "number", "object", "string"';
test.each<[JsonValue, string[]]>([
  [5, [`properties.x.type ${types}`]],
  [['string', 'strng'], [`properties.x.type.1 ${types}`]],
  [[1, 'null'], [`properties.x.type.0 ${types}`]],
  [['string', 'string'], ['properties.x.type must not contain the same item twice']],
  [[], ['properties.x.type must have at least 1 item']],
])('an error of the type %j is reported only for the form that the type is written in', (type, errors) => {
  expect(errorsIn(argument({ type }))).toEqual(errors);
});

test('other keywords of a schema stay as they are', () => {
  expect(
    errorsIn(
      argument({ type: 'string', unit: 'MB', 'x-order': 1, example: 'a', format: 'made-up' }, { $id: 'https://a.b/c' }),
    ),
  ).toEqual([]);
});

test('a chain of more than 32 references is refused, and so are more than 1,000 schemas', () => {
  const chain = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`d${at}`, { $ref: `#/$defs/d${at + 1}` }]));
  expect(errorsIn(argument({ $ref: '#/$defs/d0' }, { $defs: { ...chain, d40: {} } }))[0]).toBe(
    'properties.x.$ref the reference begins a chain of more than 32 references',
  );
  const many = Object.fromEntries(Array.from({ length: 1_001 }, (_, at) => [`a${at}`, { type: 'string' }]));
  expect(errorsIn({ type: 'object', properties: many })).toEqual([
    ' an argspec must not contain more than 1000 schemas',
  ]);
});

describe('reserved names of arguments', () => {
  test.each([
    'PATH',
    'IFS',
    'BASH_ENV',
    'ENV',
    'LD_PRELOAD',
    'FLWD_RUN_ID',
    'BASH_VERSION',
    'HOME',
    'UID',
    '_',
    'toString',
  ])('%s is a reserved name', (name) => {
    expect(errorsIn({ type: 'object', properties: { [name]: {} } })).toEqual([
      `properties.${name} the argument name \`${name}\` is a reserved name`,
    ]);
  });

  test.each(['dry-run', 'a b', '1st', 'a;rm', '$(x)', '', 'é'])('%j is not a variable name', (name) => {
    expect(errorsIn({ type: 'object', properties: { [name]: {} } })[0]).toContain('is not a variable name');
  });

  test('two names that become the same variable are refused', () => {
    expect(errorsIn({ type: 'object', properties: { dry_run: {}, DRY_RUN: {} } })).toEqual([
      'properties.DRY_RUN `dry_run` and `DRY_RUN` would become the same variable',
    ]);
  });
});

describe('format: secret', () => {
  const misplaced = 'format `format: secret` is only allowed on an argument itself, directly below `properties`';
  test.each<[JsonObject, string[]]>([
    [argument({ type: 'string', format: 'secret' }), []],
    [argument({ type: 'string', format: 'secret', default: { secret: 'a' } }), []],
    [
      argument({ type: 'string', format: 'secret', default: 'hunter2' }),
      [
        'properties.x.default the default of a secret must be a stored secret, {secret: name}: everyone who can see the job sees its defaults',
      ],
    ],
    [argument({ format: 'secret' }), ['properties.x.format a secret must have `type: string`']],
    [argument({ items: { type: 'string', format: 'secret' } }), [`properties.x.items.${misplaced}`]],
    [argument({ $ref: '#/$defs/s' }, { $defs: { s: { type: 'string', format: 'secret' } } }), [`$defs.s.${misplaced}`]],
    [argument({ default: { format: 'secret' }, enum: [{ format: 'secret' }] }), []],
    [{ type: 'object', properties: { format: { type: 'string' } } }, []],
  ])('the argspec %j has exactly the expected errors', (argspec, errors) => {
    expect(errorsIn(argspec)).toEqual(errors);
  });
});

describe('the list form', () => {
  test('is translated into the schema form', () => {
    const { argspec, errors } = translateListForm([
      { name: 'target', required: true, description: 'Directory', format: 'path' },
      { name: 'keep', type: 'integer', default: 7, minimum: 1 },
      { name: 'mode', enum: ['full', 1], required: false },
    ]);
    expect(errors).toEqual([]);
    expect(argspec).toEqual({
      type: 'object',
      properties: {
        target: { type: 'string', description: 'Directory', format: 'path' },
        keep: { type: 'integer', default: 7, minimum: 1 },
        mode: { enum: ['full', 1] },
      },
      required: ['target'],
    });
    expect(Object.keys(argspec.properties ?? {})).toEqual(['target', 'keep', 'mode']);
  });

  test('errors point at their place in the list', () => {
    const list = [{ type: 'string' }, { name: 'a', requird: true }, { name: 'a', required: 'yes' }];
    expect(translateListForm(list).errors.map(({ path, message }) => `${path.join('.')} ${message}`)).toEqual([
      '0.name each argument needs a `name`',
      '1.requird unknown key `requird`: did you mean `required`?',
      '2.name `a` is listed twice',
      '2.required must be true or false',
    ]);
    expect(translateListForm([{ name: 'x' }, { name: 'b' }]).originOf(['properties', 'b', 'pattern'])).toEqual([
      '1',
      'pattern',
    ]);
  });
});
