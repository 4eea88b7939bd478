// `$ref` inside an argspec: each must lead to a schema of the same argspec, and following them must come to an end.

import type { JsonObject } from '../../domain/job.ts';
import { type MemberError, ruleError } from '../job/config-error.ts';
import { splitPointer, toPointer } from './schema-errors.ts';
import type { Subschema } from './subschemas.ts';

/** Each is a call when arguments are checked; 64 levels of arguments times this many must fit the stack. */
const chainLimit = 32;
const referenceKeys = ['$ref', '$dynamicRef'] as const;

export type References = {
  readonly errors: readonly MemberError[];
  /** From the pointer of a schema to the one it refers to. */
  readonly targets: ReadonlyMap<string, Subschema>;
};

/** `$id` is at the top alone, so a dynamic reference or anchor is the same as a plain one. */
export function resolveReferences(all: readonly Subschema[]): References {
  const errors: MemberError[] = [];
  const targets = new Map<string, Subschema>();
  const byPointer = new Map(all.map((subschema) => [toPointer(subschema.path), subschema]));
  const byAnchor = new Map(all.flatMap((subschema) => anchorsOf(subschema.schema).map((name) => [name, subschema])));

  for (const { schema, path } of all) {
    if (referenceKeys.every((key) => Object.hasOwn(schema, key))) {
      errors.push(ruleError([...path, '$dynamicRef'], '`$ref` and `$dynamicRef` cannot stand side by side'));
    }
    for (const key of referenceKeys) {
      const reference = schema[key];
      if (typeof reference !== 'string') continue;
      const name = decode(reference.slice(1));
      const isPointer = name === '' || name.startsWith('/');
      const target = isPointer ? byPointer.get(toPointer(splitPointer(name))) : byAnchor.get(name);
      if (!reference.startsWith('#')) {
        errors.push(ruleError([...path, key], `\`${key}\` must begin with \`#\`: nothing outside the argspec is read`));
      } else if (target) targets.set(toPointer(path), target);
      else errors.push(ruleError([...path, key], `\`${key}\`: there is no schema at \`${reference}\``));
    }
  }

  const chainLength = measureChains(byPointer, targets);
  for (const pointer of targets.keys()) {
    const length = chainLength(pointer);
    if (length <= chainLimit) continue;
    const message = length === Infinity ? 'leads back to itself' : `begins a chain of more than ${chainLimit}`;
    errors.push(ruleError([...splitPointer(pointer), '$ref'], `the reference ${message}`));
  }
  return { errors, targets };
}

/** How many references have to be followed for one and the same value, at the most. */
function measureChains(byPointer: ReadonlyMap<string, Subschema>, targets: ReadonlyMap<string, Subschema>) {
  const known = new Map<string, number>();
  const lengthFrom = (pointer: string): number => {
    const before = known.get(pointer);
    if (before !== undefined) return before;
    known.set(pointer, Infinity);
    const target = targets.get(pointer);
    const inPlace = byPointer.get(pointer)?.inPlace ?? [];
    const length = Math.max(
      target ? lengthFrom(toPointer(target.path)) + 1 : 0,
      ...inPlace.map((path) => lengthFrom(toPointer(path))),
    );
    known.set(pointer, length);
    return length;
  };
  return lengthFrom;
}

function anchorsOf(schema: JsonObject): string[] {
  return [schema.$anchor, schema.$dynamicAnchor].filter((name) => typeof name === 'string');
}

/** A pointer in a fragment is percent-encoded (RFC 6901, section 6). */
function decode(fragment: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return fragment;
  }
}
