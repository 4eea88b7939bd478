// Turns the fields that a person has filled in into arguments, and assigns the server's errors to the fields.

import { type ArgumentField, readFieldText, setArgument } from './argument-fields.ts';
import type { JsonObject } from './job.ts';

export type FilledField = {
  readonly field: ArgumentField;
  /**
   * What the person typed. If the list is empty, the argument is left out. Only a list field can have several texts.
   */
  readonly texts: readonly string[];
};

/** An error as the server returns it. */
export type ArgumentError = { readonly pointer?: unknown; readonly message?: unknown; readonly keyword?: unknown };

/** The errors by the index of their field. The errors in `others` belong to no field. */
export type FormErrors = { readonly byField: ReadonlyMap<number, string>; readonly others: readonly string[] };

/** Turns the filled fields into arguments, and returns an error for each field with text that cannot be read. */
export function readFields(filled: readonly FilledField[]): {
  readonly args: JsonObject;
  readonly fieldErrors: ReadonlyMap<number, string>;
} {
  const args: Record<string, unknown> = {};
  const fieldErrors = new Map<number, string>();
  for (const [index, { field, texts }] of filled.entries()) {
    if (texts.length === 0) continue;
    const values: unknown[] = [];
    for (const text of texts) {
      const read = readFieldText(field, text);
      if ('error' in read) fieldErrors.set(index, read.error);
      else values.push(read.value);
    }
    if (!fieldErrors.has(index)) setArgument(args, field.path, field.kind === 'list' ? values : values[0]);
  }
  const plain: JsonObject = JSON.parse(JSON.stringify(args));
  return { args: plain, fieldErrors };
}

/**
 * Assigns each of the server's errors to a field. The pointer of the error may name the field, a part of it, or an
 * object that contains it.
 */
export function placeErrors(
  fields: readonly ArgumentField[],
  errors: readonly ArgumentError[],
  own: ReadonlyMap<number, string>,
): FormErrors {
  const byField = new Map(own);
  const others: string[] = [];
  const pointers = fields.map(({ path }) => toFieldPointer(path));
  for (const { pointer, message } of errors) {
    if (typeof pointer !== 'string' || typeof message !== 'string') continue;
    const index = pointers.findIndex((known) => pointer === known || pointer.startsWith(`${known}/`));
    if (index >= 0) {
      if (!byField.has(index)) byField.set(index, message);
      continue;
    }
    const inside = pointers.flatMap((known, i) => (known.startsWith(`${pointer}/`) ? [i] : []));
    // The argument is missing as a whole, because one of its parts could not be read or because no part was filled in.
    const [part] = inside;
    if (part === undefined || pointer === '/args')
      others.push(`${pointer.replace(/^\/args\/?/, '')} ${message}`.trim());
    else if (!inside.some((i) => byField.has(i))) byField.set(part, message);
  }
  return { byField, others };
}

/** Returns the errors of one item of a list, with pointers as if the item were the arguments. */
export function errorsOfItem(
  errors: readonly ArgumentError[],
  path: readonly string[],
  index: number,
): ArgumentError[] {
  const item = `${toFieldPointer(path)}/${index}`;
  return errors.flatMap(({ pointer, message, keyword }) =>
    typeof pointer === 'string' && (pointer === item || pointer.startsWith(`${item}/`))
      ? [{ pointer: `${toFieldPointer([])}${pointer.slice(item.length)}`, message, keyword }]
      : [],
  );
}

export function toFieldPointer(path: readonly string[]): string {
  return ['', 'args', ...path.map(escaped)].join('/');
}

function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
