// A request for a schedule → its terms, with everything that is wrong with it.

import { toPointer } from '../../catalog/arguments/schema-faults.ts';
import type { Catalog } from '../../catalog/catalog.ts';
import { checkSchedule } from '../../catalog/job/schedule-rules.ts';
import { createFaultList, type FaultList } from '../../domain/fault-list.ts';
import type { CatchUp, JobDefinition, JsonObject, ScheduleTerms } from '../../domain/job.ts';
import { Problem, validationError } from '../../domain/problem.ts';
import { parseDuration } from '../../lib/units.ts';

/** The body of POST /schedules, PUT /schedules/{id} and POST /schedules/preview. */
export type ScheduleRequest = {
  readonly job_id: string;
  readonly cron: string;
  readonly timezone?: string;
  readonly args?: JsonObject;
  readonly catch_up?: CatchUp;
  readonly jitter?: string;
  readonly enabled?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  readonly tenant?: string;
  readonly name?: string | null;
};

/** @throws Problem not-ready, job-not-found, job-invalid, validation-error */
export function readScheduleRequest(
  request: ScheduleRequest,
  catalog: Catalog,
): { readonly terms: ScheduleTerms; readonly job: JobDefinition } {
  const job = catalog.find(request.job_id).definition;
  const faults = createFaultList();
  const terms = toTerms(request, faults);
  addFaults(terms, job, faults);
  if (faults.size > 0) throw validationError(faults.faults(), faults.size);
  return { terms, job };
}

/** What is wrong with a body that has other faults: of members that have the right type alone. */
export function addScheduleFaults(body: unknown, catalog: Catalog, faults: FaultList): void {
  if (!isObject(body)) return;
  const { job_id: jobId, cron, timezone, args, jitter, labels } = body;
  const job = typeof jobId === 'string' ? findJob(jobId, catalog) : undefined;
  // Where there is no pattern that could be wrong, any will do.
  const request = {
    job_id: '',
    cron: typeof cron === 'string' ? cron : '* * * * *',
    timezone: typeof timezone === 'string' ? timezone : 'UTC',
    args: isObject(args) ? args : {},
    jitter: typeof jitter === 'string' && typeof cron === 'string' ? jitter : '0s',
    labels: isObject(labels) ? Object.fromEntries(Object.keys(labels).map((name) => [name, ''])) : {},
  };
  const areArgsKnown = args === undefined || isObject(args);
  addFaults(toTerms(request, faults), areArgsKnown ? job : undefined, faults);
}

function toTerms(request: ScheduleRequest, faults: FaultList): ScheduleTerms {
  const jitterMs = parseDuration(request.jitter ?? '0s');
  if (jitterMs === undefined) {
    faults.add({ pointer: '/jitter', message: 'must be a duration such as `30s` or `1h30m`', keyword: 'format' });
  }
  return {
    cron: request.cron,
    timezone: request.timezone ?? 'UTC',
    args: request.args ?? {},
    catchUp: request.catch_up ?? 'none',
    jitterMs: jitterMs ?? 0,
    enabled: request.enabled ?? true,
    labels: request.labels ?? {},
  };
}

function addFaults(terms: ScheduleTerms, job: JobDefinition | undefined, faults: FaultList): void {
  const ofArgs = createFaultList();
  for (const { path, keyword, message } of checkSchedule(terms, job, ofArgs)) {
    faults.add({ pointer: toPointer(path), keyword, message });
  }
  faults.addUnnamed(ofArgs.unnamed);
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
