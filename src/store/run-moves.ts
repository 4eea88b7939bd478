// Every change of a run once it is added: one statement with its precondition in the `where`, made together with the
// run's counters, its step's row and its events, so that no two changes can race.

import { type JsonValue, stepIdOfSingle } from '../domain/job.ts';
import {
  type Progress,
  type RunError,
  type RunMove,
  type RunReason,
  type RunStatus,
  runMoves,
  type Termination,
} from '../domain/run.ts';
import type { Transaction } from './database.ts';
import { prepareQuery } from './prepared-query.ts';
import { countMovedRun } from './run-counts.ts';
import { toJsonOrNull } from './run-rows.ts';

export type RunChange = {
  readonly atMs: number;
  readonly reason?: RunReason | null;
  readonly exitCode?: number | null;
  readonly error?: RunError | null;
  readonly result?: { readonly value: JsonValue } | null;
  readonly outputs?: Readonly<Record<string, string>>;
  readonly termination?: Termination | null;
  readonly worker?: string;
};

export async function moveRun(tx: Transaction, id: string, move: RunMove, change: RunChange): Promise<boolean> {
  return move === 'claim' ? start(tx, id, change) : end(tx, id, move, change);
}

const claimRun = prepareQuery((db, values: { id: string; atMs: number; worker: string | null }) =>
  db
    .updateTable('runs')
    .set((eb) => ({
      status: runMoves.claim.to,
      waiting: null,
      started_at: values.atMs,
      worker: values.worker,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', values.id)
    .where('status', 'in', runMoves.claim.from)
    .returning(['job_id', 'tenant', 'source', 'attempt']),
);

const startStep = prepareQuery((db, values: { id: string; attempt: number; atMs: number }) =>
  db
    .updateTable('steps')
    .set({ status: 'running', started_at: values.atMs })
    .where('run_id', '=', values.id)
    .where('step_id', '=', stepIdOfSingle)
    .where('attempt', '=', values.attempt),
);

async function start(tx: Transaction, id: string, { atMs, worker }: RunChange): Promise<boolean> {
  const { to } = runMoves.claim;
  const [run] = await claimRun(tx.db, { id, atMs, worker: worker ?? null });
  if (!run) return false;
  const { job_id: jobId, tenant, attempt } = run;
  await startStep(tx.db, { id, attempt, atMs });
  await countMovedRun(tx.db, run, { from: 'pending', to });
  const about = { runId: id, jobId, tenant };
  tx.emit({ type: 'run.started', ...about, data: { status: to, attempt } });
  tx.emit({ type: 'step.started', ...about, data: { status: to, attempt, step_id: stepIdOfSingle } });
  return true;
}

type End = Exclude<RunMove, 'claim'>;
type Ending = {
  readonly id: string;
  readonly atMs: number;
  readonly reason: RunReason | null;
  readonly exitCode: number | null;
  readonly error: string | null;
  readonly result: string | null;
  readonly termination: string | null;
};

const endRun = {
  succeed: prepareEnd('succeed'),
  fail: prepareEnd('fail'),
  withdraw: prepareEnd('withdraw'),
  cancel: prepareEnd('cancel'),
} satisfies Record<End, unknown>;

function prepareEnd(move: End) {
  return prepareQuery((db, values: Ending) =>
    db
      .updateTable('runs')
      .set((eb) => ({
        status: runMoves[move].to,
        reason: values.reason,
        waiting: null,
        finished_at: values.atMs,
        exit_code: values.exitCode,
        error: values.error,
        result: values.result,
        termination: values.termination,
        version: eb('version', '+', 1),
      }))
      .where('id', '=', values.id)
      .where('status', 'in', runMoves[move].from)
      .returning(['job_id', 'tenant', 'source', 'attempt', 'started_at']),
  );
}

const endStep = prepareQuery(
  (
    db,
    values: {
      id: string;
      attempt: number;
      status: RunStatus;
      reason: RunReason | null;
      atMs: number;
      exitCode: number | null;
      outputs: string;
    },
  ) =>
    db
      .updateTable('steps')
      .set({
        status: values.status,
        reason: values.reason,
        finished_at: values.atMs,
        exit_code: values.exitCode,
        outputs: values.outputs,
      })
      .where('run_id', '=', values.id)
      .where('step_id', '=', stepIdOfSingle)
      .where('attempt', '=', values.attempt),
);

async function end(tx: Transaction, id: string, move: End, change: RunChange): Promise<boolean> {
  const { to } = runMoves[move];
  const { atMs, reason = null, exitCode = null } = change;
  const [run] = await endRun[move](tx.db, {
    id,
    atMs,
    reason,
    exitCode,
    error: toJsonOrNull(change.error),
    result: toJsonOrNull(change.result),
    termination: toJsonOrNull(change.termination),
  });
  if (!run) return false;
  const { job_id: jobId, tenant, attempt } = run;
  const hadStarted = run.started_at !== null;
  const outputs = JSON.stringify(change.outputs ?? {});
  await endStep(tx.db, { id, attempt, status: to, reason, atMs, exitCode, outputs });
  await countMovedRun(tx.db, run, { from: hadStarted ? 'running' : 'pending', to });
  const about = { runId: id, jobId, tenant };
  const data = { status: to, reason, exit_code: exitCode, attempt };
  if (hadStarted) tx.emit({ type: 'step.finished', ...about, data: { ...data, step_id: stepIdOfSingle } });
  tx.emit({ type: 'run.finished', ...about, data });
  return true;
}

export async function requestCancel(tx: Transaction, id: string, atMs: number): Promise<boolean> {
  const run = await tx.db
    .updateTable('runs')
    .set((eb) => ({ cancel_requested_at: atMs, version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .where('status', 'in', ['pending', 'running'])
    .where('cancel_requested_at', 'is', null)
    .returning(['job_id', 'tenant', 'status'])
    .executeTakeFirst();
  if (!run) return false;
  const { job_id: jobId, tenant, status } = run;
  tx.emit({ type: 'run.cancelling', runId: id, jobId, tenant, data: { status } });
  return true;
}

export async function setWaiting(tx: Transaction, id: string, waiting: string | null): Promise<void> {
  const run = await tx.db
    .updateTable('runs')
    .set((eb) => ({ waiting, version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .where('status', '=', 'pending')
    .where('waiting', 'is distinct from', waiting)
    .returning(['job_id', 'tenant', 'status'])
    .executeTakeFirst();
  if (!run) return;
  const { job_id: jobId, tenant, status } = run;
  const data = waiting === null ? { status } : { status, message: waiting };
  tx.emit({ type: 'run.waiting', runId: id, jobId, tenant, data });
}

export async function setProgress(tx: Transaction, id: string, progress: Progress): Promise<void> {
  const run = await tx.db
    .updateTable('runs')
    .set((eb) => ({ progress: JSON.stringify(progress), version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .where('status', '=', 'running')
    .returning(['job_id', 'tenant'])
    .executeTakeFirst();
  if (!run) return;
  tx.emit({ type: 'run.progress', runId: id, jobId: run.job_id, tenant: run.tenant, data: { ...progress } });
}
