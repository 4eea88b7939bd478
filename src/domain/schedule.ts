// What is known of a schedule beside its terms: whose it is, and how it went. Its rules are in docs/adr/0011-schedules.md.

import type { ScheduleTerms } from './job.ts';

/** One made through the API, or one of a job's config.yaml, which has no times and no author of its own. */
export type Schedule = ScheduleTerms & {
  readonly id: string;
  readonly name: string | null;
  readonly jobId: string;
  readonly tenant: string;
  readonly source: 'job' | 'api';
  readonly createdAtMs: number | null;
  readonly updatedAtMs: number | null;
  readonly createdBy: string | null;
};

/** The newest nominal time for which a run was started. */
export type Fire = { readonly nominalAtMs: number; readonly atMs: number; readonly runId: string };

/** Why no run was started for a nominal time, and none was since. `type` is that of a problem. */
export type FireError = {
  readonly nominalAtMs: number;
  readonly atMs: number;
  readonly type: string;
  readonly detail: string;
};

export type ScheduleState = {
  /** Only nominal times after it count: when the schedule was first seen, changed or enabled. */
  readonly sinceMs: number;
  /** The newest nominal time dealt with: fired, failed or passed over. */
  readonly settledAtMs: number | null;
  /** Since when it is gone or disabled. */
  readonly idleSinceMs: number | null;
  readonly lastFire: Fire | null;
  readonly lastError: FireError | null;
};

/** Labels that a run of a schedule has of its own. */
export const scheduleLabels = ['schedule_id', 'nominal_at'] as const;
