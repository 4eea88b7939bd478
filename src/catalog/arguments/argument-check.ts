// A job's argspec, compiled into a check of arguments. A check always ends within a bounded number of steps: patterns
// match in linear time, and each schema that is applied is counted.

import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import { fullFormats } from 'ajv-formats/dist/formats.js';
import type { JsonObject, JsonValue } from '../../domain/job.ts';
import { boundErrors, errorCountOf } from '../../lib/bounded-errors.ts';
import { compilePattern } from './linear-pattern.ts';
import { resolveReferences } from './references.ts';
import { toPointer } from './schema-errors.ts';
import { isComposed, isObject, mapSubschemas, subschemas } from './subschemas.ts';

/**
 * Checks arguments and fills in defaults. `count` is the number of errors; `errors` has the first of them. @throws
 * TooManySteps
 */
export type ArgumentCheck = (args: JsonObject) => { readonly errors: readonly ErrorObject[]; readonly count: number };

const noErrors = { errors: [], count: 0 };

export class TooManySteps extends Error {}

/**
 * The most steps of one check. A step takes about a nanosecond. Applying a schema costs at least 250 steps. Matching a
 * pattern costs, for each character, as many steps as the pattern has instructions.
 */
const stepLimit = 200_000_000;
/**
 * The longest URL, because the RegExp of ajv-formats for `url` takes 6 s for 100 kB. The RegExps of the other formats
 * take linear time.
 */
const urlLimit = 2048;

const { url } = fullFormats;
const formats = {
  ...fullFormats,
  url: (text: string) => text.length <= urlLimit && url instanceof RegExp && url.test(text),
  path: true,
  secret: true,
} as const;

/** The argspec must have passed checkArgspec. */
export function compileArgspec(argspec: JsonObject): ArgumentCheck {
  let stepsLeft = stepLimit;
  const spend = (steps: number) => {
    stepsLeft -= steps;
    if (stepsLeft < 0) throw new TooManySteps();
  };

  // Each argspec has its own Ajv, because an Ajv keeps everything that it has ever compiled.
  const ajv = new Ajv2020({
    allErrors: true,
    useDefaults: true,
    ownProperties: true,
    verbose: true,
    strict: false,
    strictNumbers: true,
    // With this precision, 0.35 counts as a multiple of 0.05.
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
  // Replaces Ajv's own check, which compares every pair of items, with a check in linear time.
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
    // Ajv shares patterns that have the same text.
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

/**
 * Turns an argspec into the schema that Ajv compiles. That schema counts steps, refuses unknown arguments, numbers its
 * references and has no defaults for secrets.
 */
function toCompiled(argspec: JsonObject): JsonObject {
  const { targets } = resolveReferences([...subschemas(argspec)]);
  const numbers = new Map([...new Set(targets.values())].map((target, at) => [target, `r${at}`]));

  const change = (schema: JsonObject, path: readonly string[]): JsonObject => {
    const kept = Object.fromEntries(Object.entries(schema).filter(([key]) => !onlyForReferences.has(key)));
    const target = targets.get(toPointer(path));
    if (target) kept.$ref = target.path.length === 0 ? '#' : `#/$defs/${numbers.get(target)}`;
    if (kept.format === 'secret') delete kept.default;
    if (kept.type === 'integer') {
      // A larger integer has already been rounded when it is checked.
      kept.maximum ??= Number.MAX_SAFE_INTEGER;
      kept.minimum ??= Number.MIN_SAFE_INTEGER;
    }
    return { spend: weightOf(kept), ...kept };
  };
  const root = mapSubschemas(argspec, [], change);
  const referred = [...numbers].map(([target, number]) => [number, mapSubschemas(target.schema, target.path, change)]);
  return { ...closed(root), $defs: Object.fromEntries(referred) };
}

/**
 * How much it costs to apply a schema to a value, compared with an empty schema. An `enum`, for example, can be long.
 */
function weightOf(schema: JsonObject): number {
  let weight = 1;
  for (const held of Object.values(schema)) {
    if (typeof held === 'object' && held !== null) weight += Object.keys(held).length;
  }
  return weight;
}

/** Unknown arguments are errors unless the author allows them. */
function closed(root: JsonObject): JsonObject {
  if (Object.hasOwn(root, 'additionalProperties') || Object.hasOwn(root, 'unevaluatedProperties')) return root;
  return { ...root, [isComposed(root) ? 'unevaluatedProperties' : 'additionalProperties']: false };
}
