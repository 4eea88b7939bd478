// What flwd stores about a schedule in addition to its terms: who made it, and how its last starts went.
// docs/adr/0011-schedules.md has the rules.

import { toTimestamp } from '../lib/clock.ts';
import type { ScheduleTerms } from './job.ts';
import type { StoredText } from './notification.ts';
import type { Binding } from './principal.ts';
import type { RunStatus } from './run.ts';

/**
 * A schedule that was made through the API, or a schedule of a job's config.yaml. Only a schedule from the API has an
 * author, a creation time and a time of the last change.
 */
export type Schedule = ScheduleTerms & {
  readonly id: string;
  readonly name: string | null;
  readonly jobId: string;
  readonly tenant: string;
  readonly source: 'job' | 'api';
  /** Whether the schedule is held, as config.yaml says. This applies until somebody holds or releases the schedule. */
  readonly held: boolean;
  readonly createdAtMs: number | null;
  readonly updatedAtMs: number | null;
  readonly createdBy: string | null;
  /** The limits of the caller who made the schedule, which apply to its runs; null means no such limits. */
  readonly boundTo: Binding | null;
};

/** The last start: the newest nominal time for which a run was started. */
export type Fire = { readonly nominalAtMs: number; readonly atMs: number; readonly runId: string };

/**
 * Why no run was started for a nominal time. It is kept until a later start succeeds. `type` is the type of a problem.
 */
export type FireError = {
  readonly nominalAtMs: number;
  readonly atMs: number;
  readonly type: string;
  readonly detail: string;
};

export type ScheduleState = {
  /** When the schedule was first seen, changed or enabled. Nominal times up to this time do not count. */
  readonly sinceMs: number;
  /** The newest nominal time that was handled: a run was started, the start failed, or the time was skipped. */
  readonly settledAtMs: number | null;
  /** When the schedule was disabled or held, or ceased to exist; null if it is active. */
  readonly idleSinceMs: number | null;
  /** null means that nobody has held or released the schedule. */
  readonly held: boolean | null;
  /**
   * Set if the schedule was released for a later time. Nominal times up to this one do not count, even if somebody sets
   * the clock back.
   */
  readonly notBeforeMs: number | null;
  readonly lastFire: Fire | null;
  readonly lastError: FireError | null;
  /** The job that it starts; null if the schedule has not been active since flwd began to store this. */
  readonly jobId: string | null;
};

/** The calls that report successes of a schedule. Only the newest success is reported. */
export type Heartbeat = {
  readonly scheduleId: string;
  readonly tenant: string;
  readonly to: StoredText;
  /** The newest run that has succeeded. */
  readonly runId: string;
  readonly successAtMs: number;
  /** How many calls for this success have failed. */
  readonly attempts: number;
  /** When the next call is due; null if no call follows. */
  readonly nextAtMs: number | null;
  readonly lastCall: { readonly atMs: number } | null;
  readonly lastFailure: { readonly atMs: number; readonly error: string } | null;
};

/** The form of a day in a schedule: a date, or the name of a calendar of flwd.yaml. */
export const daysPattern = '^(\\d{4}-\\d\\d-\\d\\d|[a-z][a-z0-9_-]{0,62})$';
const calendarName = /^[a-z][a-z0-9_-]{0,62}$/;

export function isCalendarName(text: string): boolean {
  return calendarName.test(text);
}

/** The labels that flwd itself sets on the runs of a schedule. */
export const scheduleLabels = ['schedule_id', 'nominal_at'] as const;

/**
 * Returns the nominal time of a run that a schedule or a backfill started, or of a rerun of such a run. Returns null
 * for any other run, even if it has the label, because anybody may set it.
 */
export function nominalTimeOf(trigger: string | undefined, labels: Readonly<Record<string, string>>): string | null {
  const at = labels.nominal_at;
  if (at === undefined || !['schedule', 'backfill', 'rerun'].includes(trigger ?? '')) return null;
  const atMs = Date.parse(at);
  return Number.isNaN(atMs) || toTimestamp(atMs) !== at ? null : at;
}

/** The label that flwd sets on the runs of a backfill. */
export const backfillLabel = 'backfill_id';

/** `done` means that all runs of the backfill have ended. */
export const backfillStatuses = ['running', 'done', 'failed', 'cancelled'] as const;

/** A backfill starts the runs that a schedule would have started between two times (ADR 0076). */
export type Backfill = {
  readonly id: string;
  readonly scheduleId: string;
  readonly jobId: string;
  readonly tenant: string;
  readonly fromMs: number;
  /** The backfill ends before this time. */
  readonly untilMs: number;
  /** How many runs of the backfill may be in progress at a time. */
  readonly atOnce: number;
  readonly status: (typeof backfillStatuses)[number];
  /** The number of nominal times in its span. */
  readonly inSpan: number;
  /**
   * The number of nominal times that the backfill leaves out, because the schedule or another of its backfills had
   * already started a run for them.
   */
  readonly leftOut: number;
  readonly started: number;
  /** How many of its runs failed; null until all of them have ended. */
  readonly failedRuns: number | null;
  readonly createdAtMs: number;
  readonly createdBy: string;
  /**
   * The limits of the caller who made the backfill. null means that only the limits of the schedule apply to its runs.
   */
  readonly boundTo: Binding | null;
  /** Who counts as the starter of its runs. */
  readonly account: string;
  readonly finishedAtMs: number | null;
  /** Why the backfill failed. */
  readonly error: { readonly type: string; readonly detail: string } | null;
};

/** A run that a schedule has started. */
export type ScheduleRun = {
  readonly runId: string;
  /** null if somebody started the schedule's run by hand. */
  readonly nominalAtMs: number | null;
  readonly status: RunStatus;
  readonly createdAtMs: number;
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number | null;
};
