// `{secret: name}` in the arguments or the environment of a job → its value, in the run's tenant, before the arguments are
// checked: the check sees a text.

import { secretDefaultOf } from '../../catalog/arguments/arguments.ts';
import { isStoredSecret } from '../../catalog/arguments/secret-arguments.ts';
import type { JobDefinition, JsonObject } from '../../domain/job.ts';
import { Problem } from '../../domain/problem.ts';

export type SecretLookup = (tenant: string, name: string) => Promise<string>;

type Found = {
  /** With values in the place of references; what is not available stays a reference. */
  readonly args: JsonObject;
  /** Arguments that name one → its name. */
  readonly ofArguments: ReadonlyMap<string, string>;
  /** What the environment asks for, by name. */
  readonly ofEnvironment: ReadonlyMap<string, string>;
  /** Names of stored secrets that the job would get, sorted. */
  readonly names: readonly string[];
  readonly denied: Problem | undefined;
};

/** `kept` are values that a former run was given under these names. @throws what the lookup throws, but for secret-unavailable */
export async function lookUpSecrets(
  job: JobDefinition,
  given: JsonObject,
  o: {
    readonly tenant: string;
    readonly lookUp: SecretLookup;
    readonly kept: ReadonlyMap<string, string>;
  },
): Promise<Found> {
  const args = { ...given };
  const ofArguments = new Map<string, string>();
  const ofEnvironment = new Map<string, string>();
  const names = new Set<string>();
  const missing: string[] = [];
  const ask = async (name: string): Promise<string | undefined> => {
    names.add(name);
    try {
      return await o.lookUp(o.tenant, name);
    } catch (error) {
      if (!(error instanceof Problem) || error.slug !== 'secret-unavailable') throw error;
      missing.push(error.message);
      return undefined;
    }
  };

  for (const argument of job.secretArgs) {
    const asked = Object.hasOwn(given, argument) ? given[argument] : secretDefaultOf(job, argument);
    const name = asked === undefined ? undefined : nameIn(asked);
    if (name === undefined) continue;
    ofArguments.set(argument, name);
    args[argument] = (await ask(name)) ?? { secret: name };
  }
  for (const name of storedInEnvironment(job)) {
    const value = o.kept.get(name) ?? (await ask(name));
    if (value !== undefined) ofEnvironment.set(name, value);
  }
  const denied = missing.length === 0 ? undefined : new Problem('secret-unavailable', [...new Set(missing)].join(' '));
  return { args, ofArguments, ofEnvironment, names: [...names].toSorted(), denied };
}

function nameIn(value: JsonObject[string]): string | undefined {
  if (!isStoredSecret(value) || typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return typeof value.secret === 'string' ? value.secret : undefined;
}

/** Names that are no arguments of the job. */
function storedInEnvironment({ env, secretArgs }: JobDefinition): Set<string> {
  const asked = Object.values(env).flatMap((value) => (typeof value === 'string' ? [] : [value.secret]));
  return new Set(asked.filter((name) => !secretArgs.includes(name)));
}
