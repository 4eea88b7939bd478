import { expect, test } from 'vitest';
import {
  createForm,
  type FormState,
  focus,
  placeErrors,
  pressField,
  readForm,
  shownText,
} from '../../src/tui/form/form-state.ts';

const schema = {
  type: 'object',
  required: ['name'],
  properties: {
    name: { type: 'string' },
    days: { type: 'integer' },
    quiet: { type: 'boolean' },
    mode: { enum: ['fast', 'slow', 3] },
    hosts: { type: 'array', items: { type: 'string' } },
    key: { type: 'string', format: 'secret' },
    keep: { type: 'object', required: ['for'], properties: { for: { type: 'string' }, 'a/b': { type: 'number' } } },
  },
};
const fields = ['name', 'days', 'quiet', 'mode', 'hosts', 'key', 'for', 'a/b'] as const;

/** Presses these keys in a field of the form. A longer string is typed character by character. */
function filled(form: FormState, name: (typeof fields)[number], ...keys: readonly string[]): FormState {
  return keys.reduce(
    (state, key) => {
      const press = key.startsWith('<') ? { key: key.slice(1, -1), text: '' } : { key, text: key };
      return pressField(state, press) ?? state;
    },
    focus(form, fields.indexOf(name)),
  );
}

const empty = createForm(schema);

test('filled fields become arguments, and empty fields are left out', () => {
  expect(readForm(empty)).toEqual({ args: {}, fieldErrors: new Map() });
  let form = filled(empty, 'name', 'A', 'd', 'a');
  form = filled(form, 'days', '7');
  form = filled(form, 'quiet', ' ', ' ');
  form = filled(form, 'mode', '<right>', '<right>', '<right>');
  form = filled(form, 'hosts', 'a', '<enter>', 'b');
  form = filled(form, 'a/b', '1', '.', '5');
  expect(readForm(form)).toEqual({
    args: { name: 'Ada', days: 7, quiet: false, mode: 3, hosts: ['a', 'b'], keep: { 'a/b': 1.5 } },
    fieldErrors: new Map(),
  });
});

test('text that cannot be parsed is an error of its field, and does not become an argument', () => {
  const form = filled(filled(empty, 'days', 'x'), 'name', 'n');
  expect(readForm(form)).toEqual({ args: { name: 'n' }, fieldErrors: new Map([[1, 'must be a whole number']]) });
});

test('a choice wraps around and includes the empty value, and a letter selects the first match', () => {
  const chosen = (...keys: string[]): unknown => readForm(filled(empty, 'mode', ...keys)).args.mode;
  expect(chosen('<right>')).toBe('fast');
  expect(chosen('<left>')).toBe(3);
  expect(chosen('<right>', '<left>')).toBeUndefined();
  expect(chosen('s')).toBe('slow');
  expect(chosen('s', '<backspace>')).toBeUndefined();
  expect(chosen('z')).toBeUndefined();
});

test('a choice starts with its default, and is sent as it is shown', () => {
  const mode = { enum: ['dev', 'staging', 'prod'], default: 'staging' };
  const form = createForm({
    properties: { mode, sure: { type: 'boolean', default: true }, in: { type: 'object', properties: { mode } } },
  });
  const sent = (...keys: string[]): unknown => readForm(filled(form, 'name', ...keys)).args.mode;
  expect(form.fields.map(shownText)).toEqual(['staging', 'true', '']);
  expect(readForm(form).args).toEqual({ mode: 'staging', sure: true });
  expect(sent('<right>')).toBe('prod');
  expect(sent('<right>', '<right>')).toBe('dev');
  expect(sent('<left>')).toBe('dev');
  expect(sent('<left>', '<backspace>')).toBe('staging');
});

test('Backspace turns the last item of a list into text again', () => {
  const form = filled(empty, 'hosts', 'a', '<enter>', 'b', '<enter>', '<backspace>', '<backspace>', 'c');
  expect(readForm(form).args.hosts).toEqual(['a', 'c']);
});

test('a pasted text has no line end after its last line, except in a secret', () => {
  const pasted = (name: (typeof fields)[number]): unknown =>
    readForm(pressField(focus(empty, fields.indexOf(name)), { key: 'paste', text: '1\n2\n' }) ?? empty).args[name];
  expect(pasted('name')).toBe('1\n2');
  expect(pasted('key')).toBe('1\n2\n');
});

test('a secret is shown as dots', () => {
  const { fields: shown } = filled(empty, 'key', 'g', 'é', '👨‍👩‍👧');
  const [key] = shown.filter(({ field }) => field.kind === 'secret');
  expect(key && shownText(key)).toBe('•••');
});

test('the focus wraps around, from the last field through the start button to the first', () => {
  expect(focus(empty, -1).focused).toBe(fields.length);
  expect(focus(empty, fields.length + 1).focused).toBe(0);
  expect(pressField(focus(empty, -1), { key: 'a', text: 'a' })).toBeNull();
});

test('an error of the server is shown beside its field', () => {
  const errors = [
    { pointer: '/args/name', message: 'is missing' },
    { pointer: '/args/hosts/1', message: 'must be a text' },
    { pointer: '/args/keep/a~1b', message: 'must be more' },
    { pointer: '/args/unknown', message: 'is not known' },
    { pointer: '/args', message: 'is too much' },
    { pointer: '/job_id', message: 'is odd' },
  ];
  const { byField, others } = placeErrors(empty, errors, new Map());
  expect(byField).toEqual(
    new Map([
      [0, 'is missing'],
      [4, 'must be a text'],
      [7, 'must be more'],
    ]),
  );
  expect(others).toEqual(['unknown is not known', 'is too much', '/job_id is odd']);
});

test('a value that cannot be parsed is not reported as missing as well', () => {
  const own = new Map([[0, 'must be a whole number']]);
  const errors = [{ pointer: '/args/name', message: 'is missing' }];
  expect(placeErrors(empty, errors, own)).toEqual({ byField: own, others: [] });
  expect(placeErrors(empty, [{ pointer: '/args/keep', message: 'is missing' }], new Map()).byField).toEqual(
    new Map([[6, 'is missing']]),
  );
});
