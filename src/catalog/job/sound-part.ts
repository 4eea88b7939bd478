// Removes the members with errors from a config.yaml, so that all other errors in the file can be found too. The result
// is only used to find errors.

import type { JsonObject, JsonValue } from '../../domain/job.ts';
import { isObject } from '../arguments/subschemas.ts';
import type { MemberError } from './config-error.ts';
import { checkConfig } from './config-schema.ts';

/** How many times to remove members and check again. Removing a member can make the member around it incomplete. */
const mostRounds = 4;
/** Keys that decide what runs. They are checked against each other. */
const whatRuns = ['command', 'steps', 'composition', 'executor', 'image', 'ulc_profile'];

/** Keys that can hold the arguments of a job. */
export const argumentKeys = ['argspec', 'args', 'arguments'] as const;

type Path = readonly string[];

export type SoundPart = NonNullable<ReturnType<typeof soundPart>>;

/**
 * @param formErrors the errors of checkConfig
 * @returns undefined when leaving out members does not make the config valid
 */
export function soundPart(value: JsonValue, formErrors: readonly MemberError[]) {
  if (!isObject(value)) return undefined;
  const rest = structuredClone(value);
  const left: Path[] = [];
  let errors = formErrors;
  for (let round = 0; round < mostRounds; round += 1) {
    for (const error of errors) {
      const path = leftOutFor(rest, error);
      if (path === undefined) return undefined;
      remove(rest, path);
      left.push(path);
    }
    const checked = checkConfig(rest);
    if (!('errors' in checked)) {
      const hasUnknownKey = formErrors.some(({ path, spot }) => path.length === 1 && spot === 'key');
      const { config } = checked;
      const isLeftOut = (key: string) => left.some(([head]) => head === key);
      const isRunUnsure =
        whatRuns.some((key) => left.some((path) => path.join() === key)) ||
        (hasUnknownKey && config.command === undefined && config.steps === undefined);
      const unsure = [...left.map(unsureFor), ...(isRunUnsure ? whatRuns.map((key) => [key]) : [])];
      return {
        config,
        /** Whether the error is in the file as written, and not a result of what was removed. */
        isReal: (error: MemberError): boolean =>
          !unsure.some((path) => isWithin(error.path, path)) &&
          // A schedule without one of its parts may become the same as another schedule.
          !(isLeftOut('schedules') && error.path[0] === 'schedules' && error.path.length === 2) &&
          // An expression depends on other steps and on the `needs` of its own step. Both may have been left out.
          !(isLeftOut('steps') && isOfExpression(error.path)),
        /** False when the arguments were removed, or may be under a mistyped key. */
        areArgsKnown:
          !argumentKeys.some(isLeftOut) && !(hasUnknownKey && argumentKeys.every((key) => config[key] === undefined)),
      };
    }
    errors = checked.errors;
  }
  return undefined;
}

/**
 * Returns the member to leave out: the one with the error, or the one that lacks a required member. If this member is
 * an item of a list, the whole list is left out, because the other items would move.
 */
function leftOutFor(config: JsonObject, { path, spot }: MemberError): Path | undefined {
  // If one step has to be left out, all are, because the graph makes no sense without it.
  if (path[0] === 'steps' && (path.length < 3 || path[2] === 'id')) return ['steps'];
  for (let at = spot === 'missing' ? path.length - 1 : path.length; at > 0; at -= 1) {
    if (isObject(memberAt(config, path.slice(0, at - 1)) ?? {})) return path.slice(0, at);
  }
  return undefined;
}

/**
 * Returns the path at or below which errors may only result from leaving out the member at `path`. For a member of a
 * step, this is the path of the step.
 */
function unsureFor(path: Path): Path {
  return path[0] === 'steps' ? path.slice(0, 2) : path;
}

function isOfExpression([head, , member = '']: Path): boolean {
  return head === 'steps' && ['if', 'foreach', 'args'].includes(member);
}

function remove(config: JsonObject, path: Path): void {
  const holder = memberAt(config, path.slice(0, -1));
  if (isObject(holder ?? null)) Reflect.deleteProperty(Object(holder), path.at(-1) ?? '');
}

function memberAt(value: JsonValue, path: Path): JsonValue | undefined {
  let at: JsonValue | undefined = value;
  for (const step of path) {
    if (Array.isArray(at)) at = at[Number(step)];
    else if (at !== undefined && isObject(at) && Object.hasOwn(at, step)) at = at[step];
    else return undefined;
  }
  return at;
}

function isWithin(path: Path, outer: Path): boolean {
  return outer.every((step, at) => path[at] === step);
}
