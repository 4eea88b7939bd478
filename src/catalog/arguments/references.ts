// Checks each `$ref` in an argspec: it must lead to a schema of the same argspec, and a chain of references must end.

import type { JsonObject } from '../../domain/job.ts';
import { type MemberError, ruleError } from '../job/config-error.ts';
import { splitPointer, toPointer } from './schema-errors.ts';
import type { Subschema } from './subschemas.ts';

/**
 * The longest chain of references. Each reference is a function call when arguments are checked. 64 levels of
 * arguments, each with a chain this long, must fit the stack.
 */
const chainLimit = 32;
const referenceKeys = ['$ref', '$dynamicRef'] as const;

/** `$id` is allowed only at the top, so a dynamic reference or anchor works like a plain one. */
export function resolveReferences(all: readonly Subschema[]) {
  const errors: MemberError[] = [];
  /**
   * The key is the pointer of a schema that contains a reference. The value is the schema that the reference leads to.
   */
  const targets = new Map<string, Subschema>();
  const byPointer = new Map(all.map((subschema) => [toPointer(subschema.path), subschema]));
  const byAnchor = new Map(all.flatMap((subschema) => anchorsOf(subschema.schema).map((name) => [name, subschema])));

  for (const { schema, path } of all) {
    if (referenceKeys.every((key) => Object.hasOwn(schema, key))) {
      errors.push(ruleError([...path, '$dynamicRef'], '`$ref` and `$dynamicRef` must not be used together'));
    }
    for (const key of referenceKeys) {
      const reference = schema[key];
      if (typeof reference !== 'string') continue;
      const name = decode(reference.slice(1));
      const isPointer = name === '' || name.startsWith('/');
      const target = isPointer ? byPointer.get(toPointer(splitPointer(name))) : byAnchor.get(name);
      if (!reference.startsWith('#')) {
        errors.push(
          ruleError([...path, key], `\`${key}\` must begin with \`#\`: only schemas in the argspec itself can be used`),
        );
      } else if (target) targets.set(toPointer(path), target);
      else errors.push(ruleError([...path, key], `\`${key}\`: there is no schema at \`${reference}\``));
    }
  }

  const chainLength = measureChains(byPointer, targets);
  for (const pointer of targets.keys()) {
    const length = chainLength(pointer);
    if (length <= chainLimit) continue;
    const message =
      length === Infinity ? 'leads back to itself' : `begins a chain of more than ${chainLimit} references`;
    errors.push(ruleError([...splitPointer(pointer), '$ref'], `the reference ${message}`));
  }
  return { errors, targets };
}

/** Measures the longest chain of references that must be followed for a single value. */
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

/** A pointer in a URI fragment is percent-encoded (RFC 6901, section 6). */
function decode(fragment: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return fragment;
  }
}
