// Checks the arguments of a requested run against its job, even if the rest of the body has errors, so that the caller
// learns of all errors at once.

import { checkArguments } from '../../catalog/arguments/arguments.ts';
import { isObject } from '../../catalog/arguments/subschemas.ts';
import { type Catalog, definitionReached } from '../../catalog/catalog.ts';
import type { ErrorList } from '../../domain/error-list.ts';
import type { JobDefinition, JsonObject } from '../../domain/job.ts';
import type { Reach } from '../../domain/principal.ts';

/** Redacting a secret from a log costs time in proportion to its length. Keys and tokens are far shorter than this. */
export const longestSecretBytes = 64 * 1024;

/** Returns the arguments to run with, if there are no `errors`. */
export function checkRequestArguments(job: JobDefinition, given: JsonObject, errors: ErrorList): JsonObject {
  const args = checkArguments(job, given, errors);
  for (const name of job.secretArgs) {
    const value = args[name];
    if (typeof value !== 'string' || Buffer.byteLength(value) <= longestSecretBytes) continue;
    const message = `must be at most ${longestSecretBytes} bytes, because it is a secret`;
    errors.add({ pointer: `/args/${name}`, message, keyword: 'format' });
  }
  return args;
}

/** Adds no errors when the body names no job, or its arguments are not an object. */
export function addArgumentErrors(body: unknown, reach: Reach, catalog: Catalog, errors: ErrorList): void {
  if (!isObject(body) || typeof body.job_id !== 'string') return;
  const { job_id: jobId, args = {} } = body;
  const job = definitionReached(jobId, reach, catalog);
  if (job && isObject(args)) checkRequestArguments(job, args, errors);
}
