// What a webhook is told. It has nothing that `GET /runs/{run_id}` does not show, and neither arguments nor results.

import type { Run } from '../domain/run.ts';

/** Of a run that has ended: the same text each time. */
export function notificationBody(run: Run): string {
  const { started_at: startedAt, finished_at: finishedAt } = run;
  return JSON.stringify({
    type: 'run.finished',
    timestamp: finishedAt,
    data: {
      run_id: run.run_id,
      job_id: run.job_id,
      tenant: run.tenant,
      status: run.status,
      reason: run.reason,
      error: run.error,
      exit_code: run.exit_code,
      created_at: run.created_at,
      started_at: startedAt,
      finished_at: finishedAt,
      duration_ms: startedAt === null || finishedAt === null ? null : Date.parse(finishedAt) - Date.parse(startedAt),
      labels: run.labels,
      attempt: run.attempt,
      trigger: run.trigger,
    },
  });
}
