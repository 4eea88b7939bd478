// Fields that a person has filled in: the arguments that make of them, and which field a fault of the arguments belongs to.

import { type ArgumentField, readFieldText, setArgument } from './argument-fields.ts';
import type { JsonObject } from './job.ts';

export type FilledField = {
  readonly field: ArgumentField;
  /** What is typed; none: it is left out. More than one of a list alone. */
  readonly texts: readonly string[];
};

/** As the server gives it. */
export type ArgumentFault = { readonly pointer?: unknown; readonly message?: unknown; readonly keyword?: unknown };

/** By index of the field; `others` concern none. */
export type FormFaults = { readonly byField: ReadonlyMap<number, string>; readonly others: readonly string[] };

/** The arguments of what is filled in, and what cannot be read as one. */
export function readFields(filled: readonly FilledField[]): {
  readonly args: JsonObject;
  readonly faults: ReadonlyMap<number, string>;
} {
  const args: Record<string, unknown> = {};
  const faults = new Map<number, string>();
  for (const [index, { field, texts }] of filled.entries()) {
    if (texts.length === 0) continue;
    const values: unknown[] = [];
    for (const text of texts) {
      const read = readFieldText(field, text);
      if ('fault' in read) faults.set(index, read.fault);
      else values.push(read.value);
    }
    if (!faults.has(index)) setArgument(args, field.path, field.kind === 'list' ? values : values[0]);
  }
  const plain: JsonObject = JSON.parse(JSON.stringify(args));
  return { args: plain, faults };
}

/** The server's faults where they belong: a pointer to a field or into it, or to what the field is in. */
export function placeFaults(
  fields: readonly ArgumentField[],
  errors: readonly ArgumentFault[],
  own: ReadonlyMap<number, string>,
): FormFaults {
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
    // It misses a whole, because a part of it could not be read, or nothing of it is filled in.
    const [part] = inside;
    if (part === undefined || pointer === '/args')
      others.push(`${pointer.replace(/^\/args\/?/, '')} ${message}`.trim());
    else if (!inside.some((i) => byField.has(i))) byField.set(part, message);
  }
  return { byField, others };
}

/** The faults at an item of a list and inside it, as those of arguments that the item is. */
export function faultsOfItem(
  errors: readonly ArgumentFault[],
  path: readonly string[],
  index: number,
): ArgumentFault[] {
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
