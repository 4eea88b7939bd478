// The arguments of a rerun: the old ones, except those that the caller gives again. A secret that somebody gave as text
// belongs to that person. Another person's rerun uses this secret only if the rerun repeats the same work.

import { isDeepStrictEqual } from 'node:util';
import type { JobDefinition, JsonObject, JsonValue } from '../../domain/job.ts';
import { type ValidationError, validationError } from '../../domain/problem.ts';
import type { RunPlan } from '../../domain/run.ts';
import type { StoredRun } from '../../store/run/runs.ts';
import { type RunSecrets, redactedTexts } from '../run/run-secrets.ts';

export type RerunRequest = {
  readonly from?: 'start' | 'failed' | { readonly step: string };
  /** These override the old arguments. */
  readonly args?: JsonObject;
  /** Which revision of the job to run; by default, the revision of the old run. */
  readonly revision?: 'latest';
};

type RerunArguments = {
  readonly args: JsonObject;
  /**
   * `secrets` has the values that the environment of the new run takes over. `alsoRedacted` has all secrets of the old
   * run, because kept outputs may contain them.
   */
  readonly before: RunSecrets;
  readonly storedArgs: NonNullable<RunPlan['storedArgs']>;
  readonly secretsBy: string;
};

/**
 * `job` is the job as it will run, and `before` are the secrets of the old run.
 * @throws Problem validation-error for each secret that must be given again
 */
export function argumentsOfRerun(
  { from = 'start', args: given = {}, revision }: RerunRequest,
  o: { readonly stored: StoredRun; readonly before: RunSecrets; readonly job: JobDefinition; readonly caller: string },
): RerunArguments {
  const { job, caller } = o;
  const { run: old, plan } = o.stored;
  const giver = plan.secretsBy ?? old.created_by;
  const named = new Map(Object.entries(plan.storedArgs ?? {}));
  const secrets = [...o.before.secrets];
  const ofArguments = new Map(secrets.filter(([name]) => Object.hasOwn(old.args, name)));
  const ofEnvironment = new Map(secrets.filter(([name]) => !ofArguments.has(name)));
  const changes = ([name, value]: [string, JsonValue]): boolean =>
    job.secretArgs.includes(name) || ofArguments.has(name) || !isDeepStrictEqual(value, old.args[name]);
  const isOthers = giver !== caller && (revision === 'latest' || Object.entries(given).some(changes));

  const errors: ValidationError[] = [];
  const carried = new Map<string, JsonValue>();
  for (const [name, value] of ofArguments) {
    if (Object.hasOwn(given, name)) continue;
    const stored = named.get(name);
    if (!job.secretArgs.includes(name)) {
      errors.push(mustGive(name, 'it was a secret, but the job no longer declares it as a secret'));
    } else if (!isOthers) carried.set(name, value);
    else if (stored !== undefined) carried.set(name, { secret: stored });
    else {
      const why = `only '${giver}', who gave this secret, may reuse it with other arguments or another revision`;
      errors.push(mustGive(name, why));
    }
  }
  const mayHoldSecrets = o.before.alsoRedacted.length > 0 || [...ofArguments.keys()].some((name) => !named.has(name));
  if (isOthers && from !== 'start' && plan.job.composition === 'steps' && mayHoldSecrets) {
    const message =
      `must be \`start\`: the files and outputs of the old run may contain secrets that '${giver}' gave, ` +
      `and only '${giver}' may reuse them with other arguments or another revision`;
    errors.push({ pointer: '/from', message, keyword: 'secret' });
  }
  if (errors.length > 0) throw validationError(errors);
  return {
    args: { ...old.args, ...Object.fromEntries(carried), ...given },
    before: { secrets: isOthers ? new Map() : ofEnvironment, alsoRedacted: redactedTexts(o.before) },
    storedArgs: Object.fromEntries([...named].filter(([name]) => carried.has(name))),
    secretsBy: isOthers ? caller : giver,
  };
}

function mustGive(name: string, why: string): ValidationError {
  const message = `must be given again, as a text or as {"secret": name}: ${why}`;
  return { pointer: `/args/${name}`, message, keyword: 'secret' };
}
