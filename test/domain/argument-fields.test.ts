import { expect, test } from 'vitest';
import { argumentFields, readFieldText, setArgument, showValue } from '../../src/domain/argument-fields.ts';

function fieldOf(member: Record<string, unknown>, rest: Record<string, unknown> = {}) {
  const [field] = argumentFields({ type: 'object', properties: { it: member }, ...rest });
  if (!field) throw new Error('no field');
  return field;
}

test('members become fields in the order of the schema, and members of objects have their path as the name', () => {
  const fields = argumentFields({
    type: 'object',
    required: ['target', 'keep'],
    properties: {
      target: { type: 'string', format: 'path', description: 'What to back up' },
      keep: {
        type: 'object',
        required: ['days'],
        properties: { days: { type: 'integer', minimum: 1, maximum: 365, default: 7 }, note: { type: 'string' } },
      },
      extra: { type: 'object' },
    },
  });
  expect(fields.map(({ path, kind, isRequired }) => [path.join('.'), kind, isRequired])).toEqual([
    ['target', 'text', true],
    ['keep.days', 'integer', true],
    ['keep.note', 'text', false],
    ['extra', 'json', false],
  ]);
  expect(fields[1]).toMatchObject({ defaultValue: 7, constraints: ['1 to 365'] });
  expect(fields[0]).toMatchObject({ description: 'What to back up', constraints: ['path'] });
});

test('a member of an optional object is not required', () => {
  const [field] = argumentFields({
    properties: { keep: { type: 'object', required: ['days'], properties: { days: { type: 'integer' } } } },
  });
  expect(field?.isRequired).toBe(false);
});

test.each([
  [{ type: ['integer', 'null'] }, 'integer'],
  [{ type: ['integer', 'string'] }, 'json'],
  [{ oneOf: [{ type: 'string' }, { type: 'integer' }] }, 'json'],
  [{ enum: ['a', 'b'] }, 'choice'],
  [{ type: 'string', format: 'secret' }, 'secret'],
  [{ $ref: '#/$defs/port' }, 'integer'],
  [{ $ref: '#/$defs/loop' }, 'json'],
  [{ $ref: 'https://elsewhere.example/x' }, 'json'],
])('%j is a field of kind %s', (member, kind) => {
  const $defs = { port: { type: 'integer' }, loop: { $ref: '#/$defs/loop' } };
  expect(fieldOf(member, { $defs }).kind).toBe(kind);
});

test.each([
  [{ type: 'integer' }, '12', { value: 12 }],
  [{ type: 'integer' }, '1.5', { error: 'must be a whole number' }],
  [{ type: 'integer' }, '9007199254740993', { error: 'must be at most 9007199254740991' }],
  [{ type: 'integer' }, '-99999999999999999999', { error: 'must be at least -9007199254740991' }],
  [{ type: 'number' }, '1e3', { value: 1000 }],
  [{ type: 'number' }, '', { error: 'must be a number' }],
  [{ type: 'boolean' }, 'Yes', { value: true }],
  [{ type: 'boolean' }, 'perhaps', { error: 'must be true or false' }],
  [{ enum: [1, 'one'] }, '1', { value: 1 }],
  [{ enum: [1, 'one'] }, 'two', { error: 'must be one of 1, one' }],
  [{ type: 'array', items: { type: 'integer' } }, '3', { value: 3 }],
  [{ type: 'object' }, '{"a":1}', { value: { a: 1 } }],
  [{ type: 'object' }, '{"a":', { error: 'is not JSON' }],
  [{ type: ['integer', 'string'] }, 'word', { value: 'word' }],
  [{ type: 'string' }, '12', { value: '12' }],
])('in a field of %j, the input %j is read as %j', (member, text, read) => {
  expect(readFieldText(fieldOf(member), text)).toEqual(read);
});

test('a list of objects has fields for its items, down to the deepest level that has fields', () => {
  const node = { type: 'object', properties: { name: { type: 'string' }, below: { $ref: '#/$defs/nodes' } } };
  const $defs = { nodes: { type: 'array', uniqueItems: true, minItems: 1, items: node } };
  const list = fieldOf({ $ref: '#/$defs/nodes' }, { $defs });
  expect(list).toMatchObject({ kind: 'list', isUnique: true, constraints: ['at least one', 'each only once'] });
  expect(list.itemFields.map(({ path, kind }) => [path.join('.'), kind])).toEqual([
    ['name', 'text'],
    ['below', 'list'],
  ]);
  expect(list.itemFields[1]?.itemFields[1]?.itemFields[1]?.itemFields).toEqual([]);
});

test('the field of a text that may be long, or whose default has several lines, has several lines', () => {
  const isLong = (member: object) => fieldOf({ type: 'string', ...member }).isLong;
  expect([{ maxLength: 201 }, { default: 'a\nb' }, { maxLength: 200 }, {}].map(isLong)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test('the alternatives of a value are listed by their titles', () => {
  const oneOf = [{ title: 'By mail' }, { type: 'null' }, { $ref: '#/$defs/chat' }];
  expect(fieldOf({ oneOf }, { $defs: { chat: { title: 'By chat' } } }).alternatives).toEqual(['By mail', 'By chat']);
});

test('values are shown as a person would type them', () => {
  expect([showValue('a b'), showValue(1), showValue([1, 'x'])]).toEqual(['a b', '1', '[1,"x"]']);
});

test('an argument named like a built-in property of objects is an ordinary member', () => {
  const args: Record<string, unknown> = {};
  setArgument(args, ['keep', 'days'], 7);
  setArgument(args, ['keep', '__proto__'], 'x');
  setArgument(args, ['__proto__', 'polluted'], true);
  expect(JSON.stringify(args)).toBe('{"keep":{"days":7,"__proto__":"x"},"__proto__":{"polluted":true}}');
  expect('polluted' in {}).toBe(false);
});
