// Adds a run: its row, plan, steps and labels. Emits run.created. If the run is claimed at once, also emits the events
// of what has started. If the run has to wait, also emits run.waiting.

import type { JsonObject } from '../../domain/job.ts';
import type { NotifyRule } from '../../domain/notification.ts';
import type { RunLimits } from '../../domain/resources.ts';
import type { Run, RunPlan, Trigger } from '../../domain/run.ts';
import type { TraceParent } from '../../domain/trigger/trace.ts';
import type { Transaction } from '../database.ts';
import { prepareQuery } from '../prepared-query.ts';
import type { RunPlanRow, RunRow } from '../schema.ts';
import { countedLabels } from './ended-counts.ts';
import { countAddedRun } from './run-counts.ts';
import { claimed, emitStarted, type RunClaim } from './run-moves.ts';
import type { RunDetails } from './run-rows.ts';
import { addSteps, emitStepStarted, type NewStep } from './step-moves.ts';

export type NewRun = {
  readonly id: string;
  readonly jobId: string;
  readonly tenant: string;
  readonly createdAtMs: number;
  /** The arguments as users see them, with secrets redacted. */
  readonly args: JsonObject;
  /** The encrypted secret arguments. */
  readonly sealed: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly priority: number;
  readonly trigger: Trigger;
  readonly createdBy: string;
  readonly requestId: string | null;
  readonly source: Run['source'];
  readonly security: Run['security'];
  readonly grants: Run['grants'];
  readonly limits: RunLimits;
  readonly waiting: string | null;
  readonly plan: RunPlan;
  readonly steps: readonly NewStep[];
  readonly concurrency: { readonly limit: number | null; readonly key: string | null };
  /** If it is missing, the rules of the job apply. */
  readonly notify?: readonly NotifyRule[];
  readonly rerunOf: string | null;
  readonly parent: Run['parent'];
  /** If it is missing, the run begins its own trace. */
  readonly traceParent?: TraceParent | undefined;
};

const insertRun = prepareQuery((db, row: RunRow) => db.insertInto('runs').values(row));
const insertPlan = prepareQuery((db, row: RunPlanRow) => db.insertInto('run_plans').values(row));

/** Adds a run. With `claim`, it starts in the same transaction, so its row is written only once. */
export async function addRun(tx: Transaction, run: NewRun, claim?: RunClaim): Promise<void> {
  const { id, jobId, tenant, createdAtMs, plan } = run;
  const row = claim ? { ...toRow(run), ...claimed(claim), epoch: 1 } : toRow(run);
  await insertRun(tx.db, row);
  const { notify = plan.job.notify } = run;
  await insertPlan(tx.db, {
    run_id: id,
    plan: JSON.stringify(plan),
    sealed: run.sealed,
    notify: notify.length > 0 ? JSON.stringify(notify) : null,
  });
  await addSteps(tx, id, run.steps);
  const labels = countedLabels(run.labels, run.trigger.type);
  if (labels.length > 0) {
    const of = { run_id: id, created_at: createdAtMs, tenant, job_id: jobId, source: run.source.name, status: null };
    const rows = labels.map(([key, value]) => ({ ...of, key, value }));
    await tx.db.insertInto('run_labels').values(rows).execute();
  }
  await countAddedRun(tx.db, row);
  const created = { status: 'pending', trigger: run.trigger.type } as const;
  tx.emit({ type: 'run.created', runId: id, jobId, tenant, data: created });
  if (claim) emitStarted(tx, row, claim);
  else if (run.waiting !== null) {
    tx.emit({ type: 'run.waiting', runId: id, jobId, tenant, data: { status: 'pending', message: run.waiting } });
  }
  for (const { step_id: stepId, attempt = 1, start } of run.steps)
    if (start) emitStepStarted(tx, { runId: id, jobId, tenant }, { stepId, attempt }, start);
}

function toRow(run: NewRun): RunRow {
  const { limits, grants, source, security, requestId } = run;
  const { queueMs } = run.plan.job.timeouts;
  const details: RunDetails = {
    rerun_of: run.rerunOf,
    parent: run.parent,
    limits,
    grants,
    source,
    security,
    request_id: requestId,
    // The column `trigger` contains only the type.
    ...(run.trigger.trigger_id !== undefined && { trigger: run.trigger }),
    ...(run.traceParent && { trace: run.traceParent }),
  };
  return {
    id: run.id,
    job_id: run.jobId,
    tenant: run.tenant,
    source: source.name,
    status: 'pending',
    reason: null,
    waiting: run.waiting,
    created_at: run.createdAtMs,
    started_at: null,
    finished_at: null,
    exit_code: null,
    attempt: 1,
    priority: run.priority,
    version: 1,
    queue_ms: queueMs,
    trigger: run.trigger.type,
    created_by: run.createdBy,
    worker: null,
    cancel_requested_at: null,
    labels: JSON.stringify(run.labels),
    progress: null,
    error: null,
    termination: null,
    left_behind: null,
    details: JSON.stringify(details),
    args: JSON.stringify(run.args),
    result: null,
    deadline_at: queueMs === null ? null : run.createdAtMs + queueMs,
    concurrency_key: run.concurrency.key,
    concurrency_limit: run.concurrency.limit,
    owner: null,
    epoch: 0,
    cancel_requested_by: null,
  };
}
