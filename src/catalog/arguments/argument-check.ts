// A job's argspec as a compiled check. Whatever the schema and the arguments, a check ends within a bounded number of
// steps: patterns are matched in linear time, and every schema that is applied is counted.

import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import { fullFormats } from 'ajv-formats/dist/formats.js';
import type { JsonObject, JsonValue } from '../../domain/job.ts';
import { boundErrors, errorCountOf } from '../../lib/bounded-errors.ts';
import { compilePattern } from './linear-pattern.ts';
import { resolveReferences } from './references.ts';
import { toPointer } from './schema-errors.ts';
import { isObject, mapSubschemas, subschemas } from './subschemas.ts';

/** Fills in defaults. `count` is how many errors there are; the first of them are in `errors`. @throws TooManySteps */
export type ArgumentCheck = (args: JsonObject) => { readonly errors: readonly ErrorObject[]; readonly count: number };

const noErrors = { errors: [], count: 0 };

export class TooManySteps extends Error {}

/** About a nanosecond each: applying a schema takes 250 and leaves an error behind at times, a pattern a few a character. */
const stepLimit = 200_000_000;
/** ajv-formats' RegExp for `url` takes 6 s for 100 kB; the others are linear. */
const urlLimit = 2048;

const { url } = fullFormats;
const formats = {
  ...fullFormats,
  url: (text: string) => text.length <= urlLimit && url instanceof RegExp && url.test(text),
  path: true,
  secret: true,
} as const;

/** The argspec has passed checkArgspec. */
export function compileArgspec(argspec: JsonObject): ArgumentCheck {
  let stepsLeft = stepLimit;
  const spend = (steps: number) => {
    stepsLeft -= steps;
    if (stepsLeft < 0) throw new TooManySteps();
  };

  // An instance of its own, since Ajv keeps all that an instance has ever compiled.
  const ajv = new Ajv2020({
    allErrors: true,
    useDefaults: true,
    ownProperties: true,
    verbose: true,
    strict: false,
    strictNumbers: true,
    // 0.35 is a multiple of 0.05, for people.
    multipleOfPrecision: 9,
    meta: false,
    validateSchema: false,
    inlineRefs: false,
    logger: false,
    formats,
    code: {
      regExp: Object.assign((source: string) => countedPattern(source, spend), { code: 're2' }),
      process: boundErrors,
    },
  });
  ajv.addKeyword({
    keyword: 'spend',
    validate: (steps: number, data: unknown) => {
      spend(steps * 250 + (typeof data === 'string' ? data.length >> 3 : 0));
      return true;
    },
    errors: false,
  });
  // Ajv's own compares each item with each.
  ajv.removeKeyword('uniqueItems');
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    validate: (isWanted: boolean, data: JsonValue[]) => !isWanted || new Set(data.map(canonical)).size === data.length,
  });

  const validate = ajv.compile(toCompiled(argspec));
  return (args) => {
    stepsLeft = stepLimit;
    return validate(args) ? noErrors : { errors: validate.errors ?? [], count: errorCountOf(validate) };
  };
}

function countedPattern(source: string, spend: (steps: number) => void) {
  const pattern = compilePattern(source);
  return {
    test(text: string) {
      spend(text.length * pattern.size);
      return pattern.test(text);
    },
    // Ajv takes patterns with the same text for the same pattern.
    toString: () => source,
  };
}

function canonical(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.keys(value).toSorted();
  return `{${members.map((key) => `${JSON.stringify(key)}:${canonical(value[key] ?? null)}`).join()}}`;
}

const onlyForReferences = new Set('$id $schema $anchor $ref $dynamicAnchor $dynamicRef $defs definitions'.split(' '));

/** The argspec as Ajv gets it: closed, counted, with references by number and secrets without defaults. */
function toCompiled(argspec: JsonObject): JsonObject {
  const { targets } = resolveReferences([...subschemas(argspec)]);
  const numbers = new Map([...new Set(targets.values())].map((target, at) => [target, `r${at}`]));

  const change = (schema: JsonObject, path: readonly string[]): JsonObject => {
    const kept = Object.fromEntries(Object.entries(schema).filter(([key]) => !onlyForReferences.has(key)));
    const target = targets.get(toPointer(path));
    if (target) kept.$ref = target.path.length === 0 ? '#' : `#/$defs/${numbers.get(target)}`;
    if (kept.format === 'secret') delete kept.default;
    if (kept.type === 'integer') {
      // A larger one has lost digits before anyone could check it.
      kept.maximum ??= Number.MAX_SAFE_INTEGER;
      kept.minimum ??= Number.MIN_SAFE_INTEGER;
    }
    return { spend: weightOf(kept), ...kept };
  };
  const root = mapSubschemas(argspec, [], change);
  const referred = [...numbers].map(([target, number]) => [number, mapSubschemas(target.schema, target.path, change)]);
  return { ...closed(root), $defs: Object.fromEntries(referred) };
}

/** How much is looked at for each value: `enum` and the like are long at times. */
function weightOf(schema: JsonObject): number {
  let weight = 1;
  for (const held of Object.values(schema)) {
    if (typeof held === 'object' && held !== null) weight += Object.keys(held).length;
  }
  return weight;
}

/** Unknown arguments are errors unless the author says otherwise. */
function closed(root: JsonObject): JsonObject {
  if (Object.hasOwn(root, 'additionalProperties') || Object.hasOwn(root, 'unevaluatedProperties')) return root;
  const isComposed = ['$ref', 'allOf', 'anyOf', 'oneOf', 'if', 'dependentSchemas'].some((key) =>
    Object.hasOwn(root, key),
  );
  return { ...root, [isComposed ? 'unevaluatedProperties' : 'additionalProperties']: false };
}
