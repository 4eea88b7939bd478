// Checks a job's argspec when the job is read. It must be JSON Schema 2020-12 and use only what argument-check.ts can
// compile. Each argument needs a name that can become a variable. argument-check.ts compiles the argspec on first use.

import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import { fullFormats } from 'ajv-formats/dist/formats.js';
import type { JsonObject, JsonValue } from '../../domain/job.ts';
import { nearest } from '../../lib/nearest.ts';
import { errorLimit, type MemberError, ruleError } from '../job/config-error.ts';
import { compilePattern } from './linear-pattern.ts';
import { resolveReferences } from './references.ts';
import { toMemberErrors } from './schema-errors.ts';
import { isStoredSecret } from './secret-arguments.ts';
import { isComposed, isObject, keywords, type Subschema, subschemas } from './subschemas.ts';
import { findSameVariables, whatIsWrongWithArgument } from './variable-names.ts';

const dialect = 'https://json-schema.org/draft/2020-12/schema';
/**
 * How many schemas an argspec may have. Compiling 1,000 schemas takes 0.4 s, 5,000 take 3 s. A schema that a `$ref`
 * points to is compiled twice.
 */
const subschemaLimit = 1000;

const tooMany = ruleError([], `an argspec must not contain more than ${subschemaLimit} schemas`);

let metaSchema: Ajv2020 | undefined;

/** Returns the Ajv that checks argspecs. The first argspec creates it. */
function openMetaSchema(): Ajv2020 {
  metaSchema ??= new Ajv2020({
    allErrors: true,
    strict: false,
    verbose: true,
    logger: false,
    formats: { ...fullFormats, regex: true },
  });
  return metaSchema;
}

/** Paths in errors start at the argspec. */
export function checkArgspec(argspec: JsonObject): MemberError[] {
  const declared = argspec.$schema;
  if (declared !== undefined && declared !== dialect && declared !== `${dialect}#`) {
    return [ruleError(['$schema'], `an argspec is JSON Schema 2020-12: ${dialect}`)];
  }
  if (argspec.type !== 'object') return [ruleError(['type'], '`type` must be `object`', spotOf(argspec, 'type'))];
  const all: Subschema[] = [];
  for (const subschema of subschemas(argspec)) {
    if (all.push(subschema) > subschemaLimit) return [tooMany];
  }
  const schemas = openMetaSchema();
  if (schemas.validateSchema(argspec) !== true) {
    const form = toMemberErrors(ofOneForm(schemas.errors ?? []), () => 'keyword');
    return [...form, ...checkNames(argspec)].slice(0, errorLimit);
  }

  const references = resolveReferences(all);
  const compiled = [...new Set(references.targets.values())].map(({ schema }) => [...subschemas(schema)].length);
  if (compiled.reduce((sum, size) => sum + size, all.length) > subschemaLimit) return [tooMany];
  return [
    ...all.flatMap(checkSubschema),
    ...references.errors,
    ...checkNames(argspec),
    ...checkRequired(argspec),
  ].slice(0, errorLimit);
}

/**
 * `type` may be a word or a list of words. Leaves out the errors about the form that the author did not use, because
 * they would mislead.
 */
function ofOneForm(errors: readonly ErrorObject[]): ErrorObject[] {
  const types = new Set(errors.filter(({ keyword }) => keyword === 'anyOf').map(({ instancePath }) => instancePath));
  return errors.filter(({ instancePath, keyword, data }) => {
    if (!types.has(instancePath)) return true;
    return Array.isArray(data) ? keyword !== 'anyOf' && keyword !== 'enum' : keyword === 'enum';
  });
}

function spotOf(holder: JsonObject, key: string): 'value' | 'missing' {
  return Object.hasOwn(holder, key) ? 'value' : 'missing';
}

function checkSubschema({ schema, path }: Subschema): MemberError[] {
  const errors: MemberError[] = [];
  const addError = (step: string | readonly string[], message: string) =>
    errors.push(ruleError([...path, ...[step].flat()], message));

  for (const key of Object.keys(schema)) {
    if (key === '$id' && path.length > 0) addError(key, '`$id` is allowed only at the top');
    // The standard treats an unknown keyword as an annotation, so a mistyped keyword would silently drop a rule.
    const near = keywords.has(key) || key.length < 6 ? undefined : nearest(key, [...keywords]);
    if (near !== undefined && key !== 'example') addError(key, `unknown keyword \`${key}\`: did you mean \`${near}\`?`);
    if (key === 'nullable') addError(key, 'unknown keyword `nullable`: write `type: [string, "null"]`');
  }
  if (typeof schema.pattern === 'string') checkPattern(schema.pattern, (message) => addError('pattern', message));
  for (const pattern of Object.keys(isObject(schema.patternProperties) ? schema.patternProperties : {})) {
    checkPattern(pattern, (message) => addError(['patternProperties', pattern], message));
  }
  if (Array.isArray(schema.enum) && schema.enum.length === 0) addError('enum', '`enum` must not be empty');
  const isArgument = path.length === 2 && path[0] === 'properties';
  if (schema.format === 'secret') checkSecret(schema, isArgument, addError);
  else if (Object.hasOwn(schema, 'default') && !fitsType(schema.default ?? null, schema.type)) {
    addError('default', `\`default\` must be of the type ${JSON.stringify(schema.type)}`);
  }
  return errors;
}

function checkPattern(pattern: string, addError: (message: string) => void): void {
  try {
    // The standard asks for ECMA-262, and clients check with their own RegExp. So the pattern must compile as a RegExp,
    // too. It is not run, because running it might never end.
    RegExp(pattern, 'u');
    compilePattern(pattern);
  } catch (error) {
    addError(`the pattern cannot be used: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function checkSecret(schema: JsonObject, isArgument: boolean, addError: (step: string, message: string) => void): void {
  if (!isArgument)
    addError('format', '`format: secret` is only allowed on an argument itself, directly below `properties`');
  if (schema.type !== 'string') addError('format', 'a secret must have `type: string`');
  if (!Object.hasOwn(schema, 'default') || isStoredSecret(schema.default ?? null)) return;
  addError(
    'default',
    'the default of a secret must be a stored secret, {secret: name}: everyone who can see the job sees its defaults',
  );
}

function fitsType(value: JsonValue, type: JsonValue | undefined): boolean {
  if (type === undefined) return true;
  const own = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  return [type].flat().some((each) => each === own || (each === 'integer' && Number.isInteger(value)));
}

/** A run gets only arguments that the argspec has, so it could never get a required one that the argspec lacks. */
function checkRequired(argspec: JsonObject): MemberError[] {
  const { properties = {}, required = [] } = argspec;
  const isOpen = ['additionalProperties', 'unevaluatedProperties', 'patternProperties'].some((key) =>
    Object.hasOwn(argspec, key),
  );
  if (isOpen || isComposed(argspec) || !isObject(properties) || !Array.isArray(required)) return [];
  return required.flatMap((name, at) =>
    typeof name !== 'string' || Object.hasOwn(properties, name)
      ? []
      : [
          ruleError(
            ['required', String(at)],
            `\`properties\` has no \`${name}\`, so no run could start: add it to \`properties\`, or remove it from \`required\``,
          ),
        ],
  );
}

function checkNames(argspec: JsonObject): MemberError[] {
  const names = Object.keys(isObject(argspec.properties) ? argspec.properties : {});
  const unsafe = names.flatMap((name) => {
    const wrong = whatIsWrongWithArgument(name);
    return wrong === undefined
      ? []
      : [ruleError(['properties', name], `the argument name \`${name}\` ${wrong}`, 'key')];
  });
  const same = findSameVariables(names).map(({ name, before }) =>
    ruleError(['properties', name], `\`${before}\` and \`${name}\` would become the same variable`, 'key'),
  );
  return [...unsafe, ...same];
}
