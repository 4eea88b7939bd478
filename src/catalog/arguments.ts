// Checks a caller's arguments against a job's argspec: defaults filled in, every fault found, nothing thrown.

import type { JobDefinition, JsonObject, JsonValue } from '../domain/job.ts';
import type { Fault } from '../domain/problem.ts';
import { isStoredSecret } from './argspec.ts';
import { type ArgumentCheck, compileArgspec, TooManySteps } from './argument-check.ts';
import { faultLimit } from './config-fault.ts';
import { toMemberFaults, toPointer } from './schema-faults.ts';
import { isObject } from './subschemas.ts';
import { findSameVariables, whatIsWrongWithArgument } from './variable-names.ts';

const nestingLimit = 64;
/** Shorter ones would have redaction blank out half the log. */
const secretMinBytes = 4;

/** A compiled check takes 70 kB, so only those in use are kept. */
const compiledLimit = 200;
const compiled = new Map<JsonObject, ArgumentCheck>();

type JobArguments = Pick<JobDefinition, 'argspec' | 'secretArgs'>;

/** Pointers begin with `/args`. A stored secret, `{secret: name}`, stays as it is. */
export function checkArguments(job: JobArguments, args: JsonObject): { args: JsonObject; faults: Fault[] } {
  const faults: Fault[] = [];
  const fault = (path: readonly string[], keyword: string, message: string) => {
    if (faults.length < faultLimit) faults.push({ pointer: toPointer(['args', ...path]), keyword, message });
  };

  const isShallow = checkValues(args, [], fault);
  if (!isShallow) return { args, faults };

  const complete = structuredClone(args);
  const stored = new Map<string, JsonValue>();
  for (const name of job.secretArgs) {
    const given = Object.hasOwn(complete, name) ? complete[name] : defaultOf(job, name);
    if (given === undefined) continue;
    if (typeof given === 'string' && Buffer.byteLength(given) < secretMinBytes) {
      fault([name], 'minLength', `a secret must have at least ${secretMinBytes} bytes`);
    }
    if (isStoredSecret(given)) stored.set(name, given);
    complete[name] = isStoredSecret(given) ? '' : given;
  }

  for (const { path, keyword, message } of findFaults(job, complete)) {
    if (!stored.has(path[0] ?? '')) fault(path, keyword, message);
  }
  const faulty = new Set(faults.map(({ pointer }) => pointer));
  checkNames(
    Object.keys(args).filter((name) => !faulty.has(toPointer(['args', name]))),
    fault,
  );
  for (const [name, value] of stored) complete[name] = value;
  return faults.length > 0 ? { args, faults } : { args: complete, faults };
}

type Report = (path: readonly string[], keyword: string, message: string) => void;

/** What no argspec could allow. False: the arguments are not fit to be looked at further. */
function checkValues(value: JsonValue, path: readonly string[], fault: Report): boolean {
  if (typeof value === 'string') {
    if (value.includes('\0')) fault(path, 'format', 'must not hold a NUL character');
    else if (!value.isWellFormed()) fault(path, 'format', 'must be well-formed Unicode');
  } else if (typeof value === 'number') {
    if (!Number.isFinite(value)) fault(path, 'type', 'is too large a number');
  } else if (typeof value === 'object' && value !== null) {
    if (path.length > nestingLimit) {
      fault(path, 'maxDepth', `must not be nested over ${nestingLimit} deep`);
      return false;
    }
    let isShallow = true;
    for (const [key, member] of Object.entries(value)) {
      if (key === '__proto__' || key.includes('\0')) {
        fault([...path, key], 'propertyNames', 'is no name that is allowed');
        isShallow = false;
      } else if (!checkValues(member, [...path, key], fault)) isShallow = false;
    }
    return isShallow;
  }
  return true;
}

/** Names come from the caller where the argspec allows unknown ones. */
function checkNames(names: readonly string[], fault: Report): void {
  for (const name of names) {
    const wrong = whatIsWrongWithArgument(name);
    if (wrong !== undefined) fault([name], 'propertyNames', `the argument name ${wrong}`);
  }
  for (const { name, before } of findSameVariables(names)) {
    fault([name], 'propertyNames', `would be the same variable as \`${before}\``);
  }
}

function defaultOf(job: JobArguments, name: string): JsonValue | undefined {
  const { properties } = job.argspec;
  const schema = isObject(properties) ? properties[name] : undefined;
  return isObject(schema) ? schema.default : undefined;
}

function findFaults(job: JobArguments, args: JsonObject) {
  try {
    const errors = checkOf(job.argspec)(args);
    return toMemberFaults(errors, (path) => (path.length === 1 ? 'argument' : 'member'));
  } catch (error) {
    const isTooLong = error instanceof TooManySteps || error instanceof RangeError;
    const message = isTooLong ? 'take too long to check' : 'cannot be checked: the argspec of the job does not compile';
    return [{ path: [], keyword: 'argspec', message }];
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
