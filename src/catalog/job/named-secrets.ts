// Finds the stored secrets that a job names. Each run looks them up in its own tenant.

import type { JobDefinition, JsonObject } from '../../domain/job.ts';
import { secretDefaultOf } from '../arguments/arguments.ts';
import { storedSecretIn } from '../arguments/secret-arguments.ts';

/**
 * Finds the names in the job's environment, the defaults of its arguments, its schedules, its webhooks and the
 * arguments of its sub-runs.
 */
export function namedSecrets(job: JobDefinition): ReadonlySet<string> {
  const defaults = job.secretArgs.map((name) => secretDefaultOf(job, name) ?? null);
  const scheduled = job.schedules.flatMap(({ args }) => job.secretArgs.map((name) => argumentOf(args, name)));
  const ofSubRuns = job.steps.flatMap(({ action }) => (action.kind === 'job' ? Object.values(action.args) : []));
  const names = [...defaults, ...scheduled, ...ofSubRuns].map(storedSecretIn);
  const keys = job.webhooks.flatMap(({ secrets }) => secrets);
  const heartbeats = job.schedules.flatMap(({ heartbeat }) =>
    typeof heartbeat === 'object' ? [heartbeat.secret] : [],
  );
  const given = names.filter((name) => name !== undefined);
  return new Set([...given, ...keys, ...heartbeats, ...secretsOfEnvironment(job)]);
}

function argumentOf(args: JsonObject, name: string) {
  return Object.hasOwn(args, name) ? (args[name] ?? null) : null;
}

/** The names of the secrets in the environment, except those that are secret arguments of the job. */
export function secretsOfEnvironment({ env, secretArgs }: JobDefinition): ReadonlySet<string> {
  const asked = Object.values(env).flatMap((value) => (typeof value === 'string' ? [] : [value.secret]));
  return new Set(asked.filter((name) => !secretArgs.includes(name)));
}
