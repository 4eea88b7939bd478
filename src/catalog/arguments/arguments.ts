// Checks a caller's arguments against a job's argspec. Fills in defaults and reports every error; throws nothing.

import type { ErrorList } from '../../domain/error-list.ts';
import type { JobDefinition, JsonObject, JsonValue } from '../../domain/job.ts';
import { type ArgumentCheck, compileArgspec, TooManySteps } from './argument-check.ts';
import { toMemberError, toPointer } from './schema-errors.ts';
import { isStoredSecret } from './secret-arguments.ts';
import { isObject } from './subschemas.ts';
import { findSameVariables, whatIsWrongWithArgument } from './variable-names.ts';

const nestingLimit = 64;
/**
 * The longest name of a member. Ajv builds the path to each value that it checks. For a member with 200,000 values and
 * a name of 500 kB, this took 18 s.
 */
const nameLimit = 1024;
/** The shortest secret. Redacting a shorter one would blank out half the log. */
const secretMinBytes = 4;

/** The most compiled checks in the cache. Each takes 70 kB. The least recently used one is removed first. */
const compiledLimit = 200;
const compiled = new Map<JsonObject, ArgumentCheck>();

type JobArguments = Pick<JobDefinition, 'argspec' | 'secretArgs'>;

/**
 * Adds every error to `allErrors`, with a pointer that begins with `/args`. If there are no errors, the result has the
 * arguments for the run. A stored secret, `{secret: name}`, stays as it is.
 */
export function checkArguments(job: JobArguments, args: JsonObject, allErrors: ErrorList): JsonObject {
  const invalid = new Set<string>();
  const addError = (path: readonly string[], keyword: string, message: string) => {
    const [name] = path;
    if (name !== undefined && path.length === 1) invalid.add(name);
    if (allErrors.isFull) allErrors.addUnnamed(1);
    else allErrors.add({ pointer: toPointer(['args', ...path]), keyword, message });
  };

  const isShallow = checkValues(args, [], addError);
  if (!isShallow) return args;

  const complete = copyOf(args);
  const stored = new Map<string, JsonValue>();
  for (const name of job.secretArgs) {
    const given = Object.hasOwn(complete, name) ? complete[name] : secretDefaultOf(job, name);
    if (given === undefined) continue;
    if (typeof given === 'string' && Buffer.byteLength(given) < secretMinBytes) {
      addError([name], 'minLength', `a secret must have at least ${secretMinBytes} bytes`);
    }
    if (isStoredSecret(given)) stored.set(name, given);
    complete[name] = isStoredSecret(given) ? '' : given;
  }

  const { errors, count } = findErrors(job, complete, addError);
  for (const [at, error] of errors.entries()) {
    if (allErrors.isFull) {
      allErrors.addUnnamed(count - at);
      return args;
    }
    const found = toMemberError(error, (path) => (path.length === 1 ? 'argument' : 'member'));
    if (found && !stored.has(found.path[0] ?? '')) addError(found.path, found.keyword, found.message);
  }
  allErrors.addUnnamed(count - errors.length);
  checkNames(
    Object.keys(args).filter((name) => !invalid.has(name)),
    addError,
  );
  for (const [name, value] of stored) complete[name] = value;
  return complete;
}

/** Copies all levels, because defaults are filled in at any depth. structuredClone takes six times as long. */
function copyOf(args: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(args).map(([name, value]) => [name, copyOfValue(value)]));
}

function copyOfValue(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(copyOfValue);
  return isObject(value) ? copyOf(value) : value;
}

type Report = (path: readonly string[], keyword: string, message: string) => void;

/**
 * Reports values that no argspec can allow. Returns false when the arguments must not be checked any further. All calls
 * share `path`: it grows by one name for each level.
 */
function checkValues(value: JsonValue, path: string[], addError: Report): boolean {
  if (typeof value === 'string') {
    if (value.includes('\0')) addError(path, 'format', 'must not contain a NUL character');
    else if (!value.isWellFormed()) addError(path, 'format', 'must be well-formed Unicode');
  } else if (typeof value === 'number') {
    if (!Number.isFinite(value)) addError(path, 'type', 'is too large for a number');
  } else if (typeof value === 'object' && value !== null) {
    if (path.length > nestingLimit) {
      addError(path, 'maxDepth', `must not be nested deeper than ${nestingLimit} levels`);
      return false;
    }
    let isShallow = true;
    for (const key of Object.keys(value)) {
      path.push(key);
      const wrong = whatIsWrongWithName(key);
      if (wrong !== undefined) addError(path, 'propertyNames', wrong);
      if (wrong !== undefined || !checkValues(Reflect.get(value, key), path, addError)) isShallow = false;
      path.pop();
    }
    return isShallow;
  }
  return true;
}

function whatIsWrongWithName(name: string): string | undefined {
  if (name === '__proto__' || name.includes('\0')) return 'is not an allowed name';
  return name.length > nameLimit ? `has a name longer than ${nameLimit} characters` : undefined;
}

/** Checks the names of arguments. They come from the caller if the argspec allows unknown arguments. */
function checkNames(names: readonly string[], addError: Report): void {
  const right: string[] = [];
  for (const name of names) {
    const wrong = whatIsWrongWithArgument(name);
    if (wrong === undefined) right.push(name);
    else addError([name], 'propertyNames', `the argument name ${wrong}`);
  }
  for (const { name, before } of findSameVariables(right)) {
    addError([name], 'propertyNames', `would become the same variable as \`${before}\``);
  }
}

/** The default of a secret argument, `{secret: name}`, or undefined. */
export function secretDefaultOf(job: JobArguments, name: string): JsonValue | undefined {
  const { properties } = job.argspec;
  const schema = isObject(properties) ? properties[name] : undefined;
  return isObject(schema) ? schema.default : undefined;
}

function findErrors(job: JobArguments, args: JsonObject, addError: Report): ReturnType<ArgumentCheck> {
  try {
    return checkOf(job.argspec)(args);
  } catch (error) {
    const isTooLong = error instanceof TooManySteps || error instanceof RangeError;
    const message = isTooLong ? 'take too long to check' : 'cannot be checked: the argspec of the job does not compile';
    addError([], 'argspec', message);
    return { errors: [], count: 0 };
  }
}

function checkOf(argspec: JsonObject): ArgumentCheck {
  const check = compiled.get(argspec) ?? compileArgspec(argspec);
  compiled.delete(argspec);
  compiled.set(argspec, check);
  const [oldest] = compiled.keys();
  if (oldest && compiled.size > compiledLimit) compiled.delete(oldest);
  return check;
}
