// What is typed into a job's form: the texts of each field, and the arguments that make of them.

import { type ArgumentField, setArgument, showValue } from '../domain/argument-fields.ts';
import { readFields } from '../domain/filled-fields.ts';
import type { JsonObject } from '../domain/job.ts';

export type FieldTexts = {
  /** None: it is left out. More than one of a list alone. */
  readonly texts: readonly string[];
  /** Of a secret: what is typed is the name of a stored one. */
  readonly isStored: boolean;
};

export type ReadArguments = {
  readonly args: JsonObject;
  readonly faults: ReadonlyMap<number, string>;
  /** Of the whole. */
  readonly fault?: string;
};

export const noTexts: FieldTexts = { texts: [], isStored: false };

/** Of earlier arguments. A secret has to be given anew. */
export function textsOf(fields: readonly ArgumentField[], args: Readonly<Record<string, unknown>>): FieldTexts[] {
  return fields.map((field) => {
    const value = valueAt(args, field.path);
    if (value === undefined || field.kind === 'secret' || field.itemKind === 'secret') return noTexts;
    const texts = field.kind === 'list' && Array.isArray(value) ? value.map(showValue) : [showValue(value)];
    return { texts, isStored: false };
  });
}

function valueAt(args: Readonly<Record<string, unknown>>, path: readonly string[]): unknown {
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
  return { args: plain, faults: read.faults };
}

/** The arguments as they may be shown and copied: without what is secret. */
export function withoutSecrets(fields: readonly ArgumentField[], filled: readonly FieldTexts[]): JsonObject {
  const open = filled.map((one, index) => {
    const field = fields[index];
    const isSecret = field?.kind === 'secret' || field?.itemKind === 'secret';
    return isSecret && !one.isStored ? { ...one, texts: one.texts.map(() => 'SECRET') } : one;
  });
  return readTexts(fields, open).args;
}

/** As they are written as JSON: without what may not be seen. */
export function openArguments(fields: readonly ArgumentField[], filled: readonly FieldTexts[]): JsonObject {
  const open = filled.map((one, index) => {
    const isSecret = fields[index]?.kind === 'secret' || fields[index]?.itemKind === 'secret';
    return isSecret && !one.isStored ? noTexts : one;
  });
  return readTexts(fields, open).args;
}

export function readJsonText(text: string): ReadArguments {
  const nothing = { args: {}, faults: new Map<number, string>() };
  try {
    const value: unknown = JSON.parse(text.trim() === '' ? '{}' : text);
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return { ...nothing, fault: 'It must be an object.' };
    const args: JsonObject = JSON.parse(JSON.stringify(value));
    return { ...nothing, args };
  } catch {
    return { ...nothing, fault: 'It is no JSON yet.' };
  }
}
