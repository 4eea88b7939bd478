// Replaces `{secret: name}` in the arguments and the environment of a job with the stored secret of the run's tenant.
// This happens before the arguments are checked, so the check sees a text.

import { secretDefaultOf } from '../../catalog/arguments/arguments.ts';
import { storedSecretIn } from '../../catalog/arguments/secret-arguments.ts';
import { secretsOfEnvironment } from '../../catalog/job/named-secrets.ts';
import type { JobDefinition, JsonObject } from '../../domain/job.ts';
import { secretsRefusal, type UsingSource } from '../../domain/policy.ts';
import type { Principal } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';

export type SecretLookup = (tenant: string, name: string) => Promise<string>;

/**
 * Looks up the stored secrets that the arguments and the environment name, except those that the source may not use.
 * `kept` has the values that an earlier run got, by the names of the secrets. `carried` has the names of the stored
 * secrets whose earlier values are already in `given`.
 * @throws what the lookup throws, except secret-unavailable
 */
export async function lookUpSecrets(
  job: JobDefinition,
  given: JsonObject,
  o: {
    readonly tenant: string;
    readonly lookUp: SecretLookup;
    readonly kept: ReadonlyMap<string, string>;
    readonly carried: readonly string[];
    readonly source: UsingSource;
    /** The caller, if the arguments come from a caller. */
    readonly by: Principal | undefined;
  },
) {
  /** The arguments with values instead of references. If a secret is unavailable, its reference stays. */
  const args: JsonObject = { ...given };
  /** The name of the secret that each argument refers to. */
  const ofArguments = new Map<string, string>();
  /** The secrets that the environment refers to, by name. */
  const ofEnvironment = new Map<string, string>();
  /** The names of all stored secrets that the job would get. */
  const names = new Set<string>(o.carried);
  const missing: string[] = [];
  const unnamed = namingRefusal([...o.carried, ...namesIn(job, given)], o.by, defaultsOf(job));
  const ask = async (name: string, kept?: string): Promise<string | undefined> => {
    names.add(name);
    if (unnamed || secretsRefusal(job.id, o.source, [name])) return undefined;
    if (kept !== undefined) return kept;
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
    const name = asked === undefined ? undefined : storedSecretIn(asked);
    if (name === undefined) continue;
    ofArguments.set(argument, name);
    args[argument] = (await ask(name)) ?? { secret: name };
  }
  for (const name of secretsOfEnvironment(job)) {
    const value = await ask(name, o.kept.get(name));
    if (value !== undefined) ofEnvironment.set(name, value);
  }
  const unavailable = () =>
    missing.length === 0 ? undefined : new Problem('secret-unavailable', [...new Set(missing)].join(' '));
  const denied = secretsRefusal(job.id, o.source, names) ?? unnamed ?? unavailable();
  return { args, ofArguments, ofEnvironment, names: [...names].toSorted(), denied };
}

/**
 * The stored secrets that the arguments name. If the job takes no secret for an argument, `{secret: name}` is plain
 * data there.
 */
export function namesIn(job: JobDefinition, given: JsonObject): string[] {
  return job.secretArgs.flatMap((name) => {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    return value === undefined ? [] : (storedSecretIn(value) ?? []);
  });
}

/**
 * Says why the caller may not name one of the secrets. Every caller may name the secrets that appear in the defaults of
 * the job (ADR 0067).
 */
export function namingRefusal(
  names: readonly string[],
  by: Principal | undefined,
  defaults: readonly string[] = [],
): Problem | undefined {
  const { secrets } = by ?? {};
  const name = secrets && names.find((one) => !secrets.includes(one) && !defaults.includes(one));
  if (name === undefined) return undefined;
  const message = `'${by?.name}' may not name the stored secret '${name}': its token was created without \`--secrets ${name}\`.`;
  return new Problem('permission-denied', message);
}

/** The stored secrets that appear in the defaults of the job's arguments. */
export function defaultsOf(job: JobDefinition): string[] {
  return job.secretArgs.flatMap((argument) => {
    const value = secretDefaultOf(job, argument);
    return value === undefined ? [] : (storedSecretIn(value) ?? []);
  });
}
