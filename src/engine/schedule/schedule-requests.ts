// Turns a request for a schedule into its terms, and finds everything that is wrong with it.

import { toPointer } from '../../catalog/arguments/schema-errors.ts';
import { isObject } from '../../catalog/arguments/subschemas.ts';
import { type Catalog, definitionReached, findReached } from '../../catalog/catalog.ts';
import type { RawSchedule } from '../../catalog/job/config-schema.ts';
import { checkSchedule, daysOf, toAtMs } from '../../catalog/job/schedule-rules.ts';
import { createErrorList, type ErrorList } from '../../domain/error-list.ts';
import type { JobDefinition, ScheduleTerms } from '../../domain/job.ts';
import type { StoredText } from '../../domain/notification.ts';
import { heartbeatRefusal, scheduleRefusal } from '../../domain/policy.ts';
import type { Principal, Reach } from '../../domain/principal.ts';
import { validationError } from '../../domain/problem.ts';
import { isHttpUrl } from '../../lib/http/http-url.ts';
import { parseDuration } from '../../lib/units.ts';
import { defaultsOf, namesIn, namingRefusal } from '../plan/secret-references.ts';
import { addCalendar, type Calendars, unknownCalendars } from './schedule-times.ts';

/** The body of POST /schedules, PUT /schedules/{id} and POST /schedules/preview. */
export type ScheduleRequest = Omit<RawSchedule, 'heartbeat'> & {
  readonly job_id: string;
  readonly tenant?: string;
  readonly name?: string | null;
  /** null removes the heartbeat. Without this member, a schedule keeps its heartbeat. */
  readonly heartbeat?: StoredText | null;
};

export type RequestContext = {
  readonly catalog: Catalog;
  /** The zone of the instance. */
  readonly timezone: string;
  readonly calendars: Calendars;
};

/** @throws Problem not-ready, job-not-found, job-invalid, source-untrusted, validation-error */
export function readScheduleRequest(
  request: ScheduleRequest,
  { catalog, timezone, calendars, by }: RequestContext & { readonly by: Principal },
): { readonly terms: ScheduleTerms; readonly job: JobDefinition } {
  const { definition: job, source } = findReached(request.job_id, by, catalog);
  const refusal = scheduleRefusal(job.id, source);
  if (refusal) throw refusal;
  const noHeartbeat = heartbeatRefusal(job.id, source, request.heartbeat ?? undefined);
  if (noHeartbeat) throw noHeartbeat;
  const unnamed = namingRefusal(namesIn(job, request.args ?? {}), by, defaultsOf(job));
  if (unnamed) throw unnamed;
  const errors = createErrorList();
  const terms = toTerms(request, timezone, errors);
  addErrors(terms, job, errors);
  for (const { member, name } of unknownCalendars(terms, calendars))
    errors.add({
      pointer: `/${member}`,
      message: `names a calendar that the server does not know, \`${name}\`: ${addCalendar}`,
      keyword: 'calendar',
    });
  if (errors.size > 0) throw validationError(errors.errors(), errors.size);
  return { terms, job };
}

/**
 * Adds the errors in the body of a schedule to `errors`, which may already contain some. Looks only at members of the
 * right type.
 */
export function addScheduleErrors(body: unknown, reach: Reach, catalog: Catalog, errors: ErrorList): void {
  if (!isObject(body)) return;
  const { job_id: jobId, cron, at, timezone, args, jitter, labels } = body;
  const job = typeof jobId === 'string' ? definitionReached(jobId, reach, catalog) : undefined;
  // If `cron` or `at` has an error already, the check gets a valid pattern, so that it does not also report a missing
  // pattern.
  const isAtWrong = at !== undefined && (typeof at !== 'string' || toAtMs(at) === null);
  const pattern = cron === undefined && !isAtWrong ? undefined : '* * * * *';
  const request = {
    job_id: '',
    ...(typeof cron === 'string' ? { cron } : pattern && { cron: pattern }),
    ...(typeof at === 'string' && !isAtWrong && { at }),
    timezone: typeof timezone === 'string' ? timezone : 'UTC',
    args: isObject(args) ? args : {},
    jitter: typeof jitter === 'string' && typeof cron === 'string' ? jitter : '0s',
    labels: isObject(labels) ? Object.fromEntries(Object.keys(labels).map((name) => [name, ''])) : {},
  };
  const areArgsKnown = args === undefined || isObject(args);
  addErrors(toTerms(request, 'UTC', errors), areArgsKnown ? job : undefined, errors);
}

function toTerms(request: ScheduleRequest, timezone: string, errors: ErrorList): ScheduleTerms {
  const jitterMs = parseDuration(request.jitter ?? '0s');
  if (jitterMs === undefined) {
    errors.add({ pointer: '/jitter', message: 'must be a duration such as `30s` or `1h30m`', keyword: 'format' });
  }
  const { heartbeat = null } = request;
  if (typeof heartbeat === 'string' && !isHttpUrl(heartbeat)) {
    const message = 'must be an http or https URL without a user and password';
    errors.add({ pointer: '/heartbeat', message, keyword: 'format' });
  }
  return {
    cron: request.cron ?? null,
    atMs: toAtMs(request.at),
    ...daysOf(request),
    timezone: request.timezone ?? timezone,
    args: request.args ?? {},
    catchUp: request.catch_up ?? 'none',
    jitterMs: jitterMs ?? 0,
    enabled: request.enabled ?? true,
    labels: request.labels ?? {},
    ...(heartbeat !== null && { heartbeat }),
  };
}

function addErrors(terms: ScheduleTerms, job: JobDefinition | undefined, errors: ErrorList): void {
  const ofArgs = createErrorList();
  for (const { path, keyword, message } of checkSchedule(terms, job, ofArgs)) {
    errors.add({ pointer: toPointer(path), keyword, message });
  }
  errors.addUnnamed(ofArgs.unnamed);
}
