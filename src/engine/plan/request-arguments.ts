// The arguments of a request for a run, checked against its job: also those of a body with other errors, so that the
// caller learns of all of them at once.

import { checkArguments } from '../../catalog/arguments/arguments.ts';
import type { Catalog } from '../../catalog/catalog.ts';
import type { ErrorList } from '../../domain/error-list.ts';
import type { JobDefinition, JsonObject } from '../../domain/job.ts';
import { Problem } from '../../domain/problem.ts';

/** Searching a log for a secret costs by its length; keys and tokens are far below this. */
export const longestSecretBytes = 64 * 1024;

/** Answers the arguments to run with, if `errors` got none. */
export function checkRequestArguments(job: JobDefinition, given: JsonObject, errors: ErrorList): JsonObject {
  const args = checkArguments(job, given, errors);
  for (const name of job.secretArgs) {
    const value = args[name];
    if (typeof value !== 'string' || Buffer.byteLength(value) <= longestSecretBytes) continue;
    const message = `must be at most ${longestSecretBytes} bytes, since it is a secret`;
    errors.add({ pointer: `/args/${name}`, message, keyword: 'format' });
  }
  return args;
}

/** Nothing can be said where the body names no job, or its arguments are no object. */
export function addArgumentErrors(body: unknown, catalog: Catalog, errors: ErrorList): void {
  if (!isObject(body) || typeof body.job_id !== 'string') return;
  const { job_id: jobId, args = {} } = body;
  const job = findJob(jobId, catalog);
  if (job && isObject(args)) checkRequestArguments(job, args, errors);
}

function findJob(id: string, catalog: Catalog): JobDefinition | undefined {
  try {
    return catalog.find(id).definition;
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

/** A body was JSON. */
function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
