// Converts between the texts in the fields of a form and the arguments of a job.

import { type ArgumentField, setArgument, showValue } from '../../domain/argument-fields.ts';
import { type ArgumentError, readFields, toFieldPointer } from '../../domain/filled-fields.ts';
import type { JsonObject } from '../../domain/job.ts';

export type FieldTexts = {
  /** Empty: the argument is left out. Only a list has more than one text. */
  readonly texts: readonly string[];
  /** The text is the name of a stored secret. */
  readonly isStored: boolean;
};

type Arguments = Readonly<Record<string, unknown>>;

export type ReadArguments = {
  readonly args: JsonObject;
  readonly fieldErrors: ReadonlyMap<number, string>;
  /** An error that concerns all arguments. */
  readonly error?: string;
};

export const noTexts: FieldTexts = { texts: [], isStored: false };

export function isSecret(field: ArgumentField | undefined): boolean {
  return field?.kind === 'secret' || field?.itemKind === 'secret';
}

/**
 * Converts arguments to the texts that a user would type. Leaves out the arguments that fit no field, which
 * `heldByNoField` finds.
 */
export function textsOf(fields: readonly ArgumentField[], args: Arguments): FieldTexts[] {
  return fields.map((field) => {
    const value = valueAt(args, field.path);
    if (value === undefined) return noTexts;
    const stored = field.kind === 'secret' ? nameOfStored(value) : null;
    if (stored !== null) return { texts: [stored], isStored: true };
    const texts = field.kind === 'list' && Array.isArray(value) ? value.map(showValue) : [showValue(value)];
    return { texts, isStored: false };
  });
}

/** The value of a field that is left empty. */
export type LeftEmpty = { readonly shown: string; readonly why: 'default' | 'as it was' };

/**
 * Returns what an empty field stands for. A default applies only if the object that contains it is given. In a rerun, a
 * top-level argument that is not given has its value from the earlier run.
 * @returns null: an empty field has no value
 */
export function leftEmpty(field: ArgumentField, args: Arguments, before: Arguments | null): LeftEmpty | null {
  const { path, defaultValue } = field;
  const [top = ''] = path;
  if (before && !Object.hasOwn(args, top) && Object.hasOwn(before, top)) {
    const value = valueAt(before, path);
    return value === undefined ? null : { shown: isSecret(field) ? '' : showValue(value), why: 'as it was' };
  }
  if (defaultValue === undefined) return null;
  const holder = path.length === 1 ? args : valueAt(args, path.slice(0, -1));
  return typeof holder === 'object' ? { shown: showValue(defaultValue), why: 'default' } : null;
}

/** Converts an item of a list of objects to the texts of its fields; null if the item does not fit the fields. */
export function itemTexts(fields: readonly ArgumentField[], text: string): FieldTexts[] | null {
  const { args, error } = readJsonText(text);
  return error !== undefined || heldByNoField(fields, args).length > 0 ? null : textsOf(fields, args);
}

/**
 * The reverse of `itemTexts`. If a field cannot read its text, the item contains the text as it was typed, and the
 * server refuses it.
 */
export function itemText(fields: readonly ArgumentField[], filled: readonly FieldTexts[]): string {
  const { args, fieldErrors } = readTexts(fields, filled);
  const item: Record<string, unknown> = { ...args };
  for (const index of fieldErrors.keys()) {
    const { path, kind } = fields[index] ?? { path: [], kind: 'text' };
    const texts = filled[index]?.texts ?? [];
    setArgument(item, path, kind === 'list' ? texts : texts[0]);
  }
  return JSON.stringify(item);
}

/** Shortens errors about missing values to "Required.", and drops them once the user has typed something. */
export function besideFields(
  fields: readonly ArgumentField[],
  filled: readonly FieldTexts[],
  byField: ReadonlyMap<number, string>,
  errors: readonly ArgumentError[],
): ReadonlyMap<number, string> {
  const missing = errors.filter(({ keyword }) => keyword === 'required');
  return new Map(
    [...byField].flatMap(([index, failure]) => {
      const pointer = `${toFieldPointer(fields[index]?.path ?? [])}/`;
      const isMissing = missing.some(
        (error) => error.message === failure && pointer.startsWith(`${String(error.pointer)}/`),
      );
      if (!isMissing) return [[index, failure]];
      return (filled[index]?.texts.length ?? 0) > 0 ? [] : [[index, 'Required.']];
    }),
  );
}

function nameOfStored(value: unknown): string | null {
  const { secret = null }: { secret?: unknown } = typeof value === 'object' && value !== null ? value : {};
  return typeof secret === 'string' && Object.keys(value ?? {}).length === 1 ? secret : null;
}

/** The names of the arguments that fields cannot hold: they would change or vanish. */
export function heldByNoField(fields: readonly ArgumentField[], args: Arguments): string[] {
  const { args: held } = readTexts(fields, textsOf(fields, args));
  return Object.keys(args).filter((name) => sorted(args[name]) !== sorted(held[name]));
}

function sorted(value: unknown): string | undefined {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}

/** The arguments of an earlier run without its secrets. */
export function openArguments(fields: readonly ArgumentField[], args: Arguments): JsonObject {
  const open: JsonObject = JSON.parse(JSON.stringify(args));
  for (const field of fields) {
    const holder = isSecret(field) ? valueAt(open, field.path.slice(0, -1)) : undefined;
    const name = field.path.at(-1);
    if (typeof holder === 'object' && holder !== null && name !== undefined) Reflect.deleteProperty(holder, name);
  }
  return open;
}

function valueAt(args: Arguments, path: readonly string[]): unknown {
  let at: unknown = args;
  for (const name of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = Reflect.get(at, name);
  }
  return at;
}

export function readTexts(fields: readonly ArgumentField[], filled: readonly FieldTexts[]): ReadArguments {
  const read = readFields(
    fields.map((field, index) => {
      const { texts, isStored } = filled[index] ?? noTexts;
      return { field, texts: isStored ? [] : texts };
    }),
  );
  const args: Record<string, unknown> = { ...read.args };
  for (const [index, { path }] of fields.entries()) {
    const { texts, isStored } = filled[index] ?? noTexts;
    const [name] = texts;
    if (isStored && name) setArgument(args, path, { secret: name });
  }
  const plain: JsonObject = JSON.parse(JSON.stringify(args));
  return { args: plain, fieldErrors: read.fieldErrors };
}

/** The arguments for display. Each typed secret is replaced by `instead`, or left out if `instead` is null. */
export function shownArguments(
  fields: readonly ArgumentField[],
  filled: readonly FieldTexts[],
  instead: string | null,
): JsonObject {
  const hidden = new Set(typedSecrets(fields, filled));
  const shown = filled.map((one, index) => {
    if (!hidden.has(index)) return one;
    return instead === null ? noTexts : { ...one, texts: one.texts.map(() => instead) };
  });
  return readTexts(fields, shown).args;
}

/** The indexes of the fields into which a secret is typed. */
export function typedSecrets(fields: readonly ArgumentField[], filled: readonly FieldTexts[]): number[] {
  return [...fields.keys()].filter((index) => {
    const { texts, isStored } = filled[index] ?? noTexts;
    return isSecret(fields[index]) && !isStored && texts.length > 0;
  });
}

export function readJsonText(text: string): ReadArguments {
  const nothing = { args: {}, fieldErrors: new Map<number, string>() };
  try {
    const value: unknown = JSON.parse(text.trim() === '' ? '{}' : text);
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return { ...nothing, error: 'The arguments must be a JSON object.' };
    const args: JsonObject = JSON.parse(JSON.stringify(value));
    return { ...nothing, args };
  } catch {
    return { ...nothing, error: 'This is not valid JSON yet.' };
  }
}
