// Schedules, their times and their runs as the API shows them.

import { posix } from 'node:path';
import { type Catalog, definitionOf } from '../../../catalog/catalog.ts';
import type { ScheduleTerms } from '../../../domain/job.ts';
import { holdsScope, type Principal } from '../../../domain/principal.ts';
import type { Schedule, ScheduleRun } from '../../../domain/schedule.ts';
import type { Fires } from '../../../engine/schedule/schedule-fires.ts';
import type { ScheduleView } from '../../../engine/schedule/schedule-view.ts';
import type { Schedules } from '../../../engine/schedule/schedules.ts';
import { toTimestamp } from '../../../lib/clock.ts';
import type { ClockChange } from '../../../lib/cron/clock-change.ts';
import { toLocalTimestamp } from '../../../lib/cron/cron.ts';
import { scheduleWords } from '../../../lib/cron/cron-words.ts';
import { formatDuration } from '../../../lib/units.ts';
import { toTimestampOrNull } from '../../../store/run/run-rows.ts';
import { toDenial } from '../denial.ts';

type Span = { readonly sinceMs: number; readonly untilMs: number };

export function firesAnswer({ sinceMs, untilMs }: Span, { fires, frequent, isComplete }: Fires) {
  return {
    since: toTimestamp(sinceMs),
    until: toTimestamp(untilMs),
    fires: fires.map(toFire),
    frequent: frequent.map(toFrequent),
    complete: isComplete,
  };
}

function toFire({ schedule, nominalAtMs, state, isLate, run, detail }: Fires['fires'][number]) {
  return {
    ...toNamed(schedule),
    nominal_at: toTimestamp(nominalAtMs),
    local: toLocalTimestamp(nominalAtMs, schedule.timezone),
    state,
    late: isLate,
    run: run && toRun(run),
    detail,
  };
}

function toFrequent(one: Fires['frequent'][number]) {
  const { schedule, nextAtMs, counts, missed, lastMissedAtMs, countedSinceMs } = one;
  return {
    ...toNamed(schedule),
    sentence: scheduleWords(schedule),
    next_at: toTimestampOrNull(nextAtMs),
    runs: counts,
    missed,
    last_missed_at: toTimestampOrNull(lastMissedAtMs),
    counted_since: toTimestamp(countedSinceMs),
  };
}

function toNamed({ id, name, jobId, tenant }: Schedule) {
  return { schedule_id: id, name, job_id: jobId, tenant };
}

function toRun({ runId, status, createdAtMs, startedAtMs, finishedAtMs }: ScheduleRun) {
  return {
    run_id: runId,
    status,
    created_at: toTimestamp(createdAtMs),
    started_at: toTimestampOrNull(startedAtMs),
    finished_at: toTimestampOrNull(finishedAtMs),
  };
}

function toClockChange(change: ClockChange | null) {
  return change && { at: toTimestamp(change.atMs), text: change.text };
}

export function previewAnswer({ fires, terms, clockChange }: ReturnType<Schedules['preview']>) {
  return {
    sentence: scheduleWords(terms),
    next_fires: toFires(fires, terms.timezone),
    clock_change: toClockChange(clockChange),
  };
}

/** Says which config.yaml defines a schedule. Such a schedule exists only as long as its job. */
function definedIn({ source, jobId }: Schedule, catalog: Catalog) {
  const job = source === 'job' ? definitionOf(jobId, catalog) : undefined;
  return job ? { source: job.source, file: posix.join(job.path, 'config.yaml') } : null;
}

export function answerOf(view: ScheduleView, principal: Principal, catalog: Catalog) {
  const { schedule, state, isHeld, isPaused, isDone, denied, lastRun, heartbeat, nextFires, clockChange } = view;
  const { lastFire = null, lastError = null } = state ?? {};
  return {
    id: schedule.id,
    name: schedule.name,
    job_id: schedule.jobId,
    tenant: schedule.tenant,
    source: schedule.source,
    defined_in: definedIn(schedule, catalog),
    cron: schedule.cron,
    at: schedule.atMs === null ? null : toLocalTimestamp(schedule.atMs, schedule.timezone),
    calendar: schedule.calendar && [...schedule.calendar],
    except: [...schedule.except],
    sentence: scheduleWords(schedule),
    timezone: schedule.timezone,
    args: schedule.args,
    catch_up: schedule.catchUp,
    jitter: formatDuration(schedule.jitterMs),
    enabled: schedule.enabled,
    held: isHeld,
    paused: isPaused,
    done: isDone,
    denied: toDenial(denied),
    missing_secrets: holdsScope(principal, 'runs:write') ? [...view.missingSecrets] : [],
    labels: schedule.labels,
    next_fires: toFires(nextFires(), schedule.timezone),
    clock_change: toClockChange(clockChange()),
    last_run: lastRun && holdsScope(principal, 'runs:read') ? toRun(lastRun) : null,
    last_fire: lastFire && {
      nominal_at: toTimestamp(lastFire.nominalAtMs),
      at: toTimestamp(lastFire.atMs),
      run_id: lastFire.runId,
    },
    last_error: lastError && {
      nominal_at: toTimestamp(lastError.nominalAtMs),
      at: toTimestamp(lastError.atMs),
      type: lastError.type,
      detail: lastError.detail,
    },
    heartbeat: toHeartbeat(schedule.heartbeat, heartbeat),
    created_at: toTimestampOrNull(schedule.createdAtMs),
    updated_at: toTimestampOrNull(schedule.updatedAtMs),
    created_by: schedule.createdBy,
  };
}

/** Shows only the origin of an address, because the address may contain a token. */
function toHeartbeat(to: Schedule['heartbeat'], called: ScheduleView['heartbeat']) {
  if (to === undefined) return null;
  return {
    origin: typeof to === 'string' ? new URL(to).origin : null,
    secret: typeof to === 'string' ? null : to.secret,
    last_success_at: toTimestampOrNull(called?.successAtMs ?? null),
    last_called_at: toTimestampOrNull(called?.lastCall?.atMs ?? null),
    last_failed_at: toTimestampOrNull(called?.lastFailure?.atMs ?? null),
    last_error: called?.lastFailure?.error ?? null,
    next_call_at: toTimestampOrNull(called?.nextAtMs ?? null),
  };
}

function toFires(times: readonly number[], timezone: ScheduleTerms['timezone']) {
  return times.map((atMs) => ({ nominal_at: toTimestamp(atMs), local: toLocalTimestamp(atMs, timezone) }));
}
