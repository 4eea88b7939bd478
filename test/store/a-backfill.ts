// A backfill for tests. It has ended, so no server starts runs for it.

import type { OpenBackfill } from '../../src/store/schedule/backfills.ts';

export function aBackfill(o: Partial<OpenBackfill> & Pick<OpenBackfill, 'id'>): OpenBackfill {
  return {
    scheduleId: 'schedule_1',
    jobId: 'demo',
    tenant: 'default',
    fromMs: 0,
    untilMs: 86_400_000,
    atOnce: 1,
    status: 'cancelled',
    times: [],
    cursor: 0,
    inSpan: 1,
    leftOut: 0,
    started: 0,
    failedRuns: null,
    createdAtMs: 1,
    createdBy: 'local',
    boundTo: null,
    account: 'local',
    finishedAtMs: 1,
    error: null,
    ...o,
  };
}
