// The state of a schedule, besides its terms: whose it is, and how its last starts went. The rules are in
// docs/adr/0011-schedules.md.

import { toTimestamp } from '../lib/clock.ts';
import type { ScheduleTerms } from './job.ts';
import type { StoredText } from './notification.ts';
import type { Binding } from './principal.ts';
import type { RunStatus } from './run.ts';

/** A schedule of the API, or one of a job's config.yaml, which has no times and no author of its own. */
export type Schedule = ScheduleTerms & {
  readonly id: string;
  readonly name: string | null;
  readonly jobId: string;
  readonly tenant: string;
  readonly source: 'job' | 'api';
  /** What config.yaml says. It applies until somebody holds or releases the schedule. */
  readonly held: boolean;
  readonly createdAtMs: number | null;
  readonly updatedAtMs: number | null;
  readonly createdBy: string | null;
  /** Whose limits apply to its runs; null: nobody's. */
  readonly boundTo: Binding | null;
};

/** The newest nominal time for which a run was started. */
export type Fire = { readonly nominalAtMs: number; readonly atMs: number; readonly runId: string };

/** Why no run was started for a nominal time. Kept until a later start succeeds. `type` is the type of a problem. */
export type FireError = {
  readonly nominalAtMs: number;
  readonly atMs: number;
  readonly type: string;
  readonly detail: string;
};

export type ScheduleState = {
  /** When the schedule was first seen, changed or enabled. Only nominal times after this one count. */
  readonly sinceMs: number;
  /** The newest nominal time that is settled: fired, failed or skipped. */
  readonly settledAtMs: number | null;
  /** When the schedule disappeared, was disabled or was held. */
  readonly idleSinceMs: number | null;
  /** Null: nobody has held or released the schedule. */
  readonly held: boolean | null;
  /** Nominal times up to this one do not count, even if the clock is set: the schedule was released for later. */
  readonly notBeforeMs: number | null;
  readonly lastFire: Fire | null;
  readonly lastError: FireError | null;
};

/** The calls that report the successes of a schedule. Only the newest success matters. */
export type Heartbeat = {
  readonly scheduleId: string;
  readonly tenant: string;
  readonly to: StoredText;
  /** The newest run that succeeded. */
  readonly runId: string;
  readonly successAtMs: number;
  /** Failed calls for this success. */
  readonly attempts: number;
  /** When the next call is due; null: no call will follow. */
  readonly nextAtMs: number | null;
  readonly lastCall: { readonly atMs: number } | null;
  readonly lastFailure: { readonly atMs: number; readonly error: string } | null;
};

/** A day of a schedule: a date, or the name of a calendar of flwd.yaml. */
export const daysPattern = '^(\\d{4}-\\d\\d-\\d\\d|[a-z][a-z0-9_-]{0,62})$';
const calendarName = /^[a-z][a-z0-9_-]{0,62}$/;

export function isCalendarName(text: string): boolean {
  return calendarName.test(text);
}

/** Labels that flwd itself sets on the runs of a schedule. */
export const scheduleLabels = ['schedule_id', 'nominal_at'] as const;

/**
 * Returns the nominal time of a run of a schedule or a backfill, or of a rerun of such a run. Ignores the labels of
 * other runs, because anybody may set them.
 */
export function nominalTimeOf(trigger: string | undefined, labels: Readonly<Record<string, string>>): string | null {
  const at = labels.nominal_at;
  if (at === undefined || !['schedule', 'backfill', 'rerun'].includes(trigger ?? '')) return null;
  const atMs = Date.parse(at);
  return Number.isNaN(atMs) || toTimestamp(atMs) !== at ? null : at;
}

/** The label of the runs of a backfill. */
export const backfillLabel = 'backfill_id';

/** `done`: its runs have ended. */
export const backfillStatuses = ['running', 'done', 'failed', 'cancelled'] as const;

/** Starts the runs that a schedule would have started between two times (ADR 0076). */
export type Backfill = {
  readonly id: string;
  readonly scheduleId: string;
  readonly jobId: string;
  readonly tenant: string;
  readonly fromMs: number;
  /** Not included. */
  readonly untilMs: number;
  /** How many of its runs may be unfinished at a time. */
  readonly atOnce: number;
  readonly status: (typeof backfillStatuses)[number];
  /** The nominal times in its span. */
  readonly inSpan: number;
  /** Times that already have a run of the schedule, or of another backfill of it. */
  readonly leftOut: number;
  readonly started: number;
  /** How many of its runs failed; null until it is done. */
  readonly failedRuns: number | null;
  readonly createdAtMs: number;
  readonly createdBy: string;
  /** null: only the limits of the schedule apply to its runs. */
  readonly boundTo: Binding | null;
  /** Who counts as having started its runs. */
  readonly account: string;
  readonly finishedAtMs: number | null;
  /** Why the backfill failed. */
  readonly error: { readonly type: string; readonly detail: string } | null;
};

/** A run that a schedule has started. */
export type ScheduleRun = {
  readonly runId: string;
  /** null: somebody ran the schedule by hand. */
  readonly nominalAtMs: number | null;
  readonly status: RunStatus;
  readonly createdAtMs: number;
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number | null;
};
