// The arguments of a request for a run, checked against its job: also those of a body with other errors, so that the
// caller learns of all of them at once.

import { checkArguments } from '../../catalog/arguments/arguments.ts';
import { isObject } from '../../catalog/arguments/subschemas.ts';
import { type Catalog, definitionOf } from '../../catalog/catalog.ts';
import type { ErrorList } from '../../domain/error-list.ts';
import type { JobDefinition, JsonObject } from '../../domain/job.ts';

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
  const job = definitionOf(jobId, catalog);
  if (job && isObject(args)) checkRequestArguments(job, args, errors);
}
