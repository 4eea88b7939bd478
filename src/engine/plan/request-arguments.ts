// The arguments of a request for a run, checked against its job: also those of a body with other faults, so that the
// caller learns of all of them at once.

import { checkArguments } from '../../catalog/arguments/arguments.ts';
import type { Catalog } from '../../catalog/catalog.ts';
import type { FaultList } from '../../domain/fault-list.ts';
import type { JobDefinition, JsonObject } from '../../domain/job.ts';
import { Problem } from '../../domain/problem.ts';

/** Searching a log for a secret costs by its length; keys and tokens are far below this. */
export const longestSecretBytes = 64 * 1024;

/** Answers the arguments to run with, if `faults` got none. */
export function checkRequestArguments(job: JobDefinition, given: JsonObject, faults: FaultList): JsonObject {
  const args = checkArguments(job, given, faults);
  for (const name of job.secretArgs) {
    const value = args[name];
    if (typeof value !== 'string' || Buffer.byteLength(value) <= longestSecretBytes) continue;
    const message = `must be at most ${longestSecretBytes} bytes, since it is a secret`;
    faults.add({ pointer: `/args/${name}`, message, keyword: 'format' });
  }
  return args;
}

/** Nothing can be said where the body names no job, or its arguments are no object. */
export function addArgumentFaults(body: unknown, catalog: Catalog, faults: FaultList): void {
  if (!isObject(body) || typeof body.job_id !== 'string') return;
  const { job_id: jobId, args = {} } = body;
  const job = findJob(jobId, catalog);
  if (job && isObject(args)) checkRequestArguments(job, args, faults);
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
