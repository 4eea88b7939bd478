// Changes the status and other columns of runs. Each change is one statement with its precondition in the `where`, so
// no two changes can race. The same transaction updates the counters and emits the events. step-moves.ts changes steps.

import type { Expression, ExpressionBuilder, SqlBool } from 'kysely';
import type { LeftBehind } from '../../domain/outcome/left-behind.ts';
import {
  type Progress,
  type Run,
  type RunError,
  type RunMove,
  type RunReason,
  runMoves,
  type Termination,
} from '../../domain/run.ts';
import type { Transaction } from '../database.ts';
import { countFailure } from '../failures.ts';
import { prepareQuery } from '../prepared-query.ts';
import type { RunRow, Schema } from '../schema.ts';
import { countStats } from '../stats/count-stats.ts';
import { countEndedRun } from './ended-counts.ts';
import { countMovedRun } from './run-counts.ts';
import { toJsonOrNull } from './run-rows.ts';

export type RunClaim = {
  readonly atMs: number;
  readonly owner: string;
  readonly worker: string;
  readonly deadlineAtMs: number | null;
};

export type RunChange = {
  readonly atMs: number;
  readonly reason?: RunReason | null;
  readonly exitCode?: number | null;
  readonly error?: RunError | null;
  readonly result?: Run['result'];
  readonly termination?: Termination | null;
  readonly leftBehind?: LeftBehind | null;
  /** The epoch in which the caller drives the run. If another process has taken the run over, the change is refused. */
  readonly epoch?: number | undefined;
};

const updateClaimed = prepareQuery((db, values: RunClaim & { id: string }) =>
  db
    .updateTable('runs')
    .set((eb) => ({ ...claimed(values), epoch: eb('epoch', '+', 1), version: eb('version', '+', 1) }))
    .where('id', '=', values.id)
    .where('status', 'in', runMoves.claim.from)
    .returning(['job_id', 'tenant', 'source', 'attempt', 'created_at']),
);

/** Returns the columns that a claim sets, except those that it increases. */
export function claimed({ atMs, worker, owner, deadlineAtMs }: RunClaim) {
  const { to: status } = runMoves.claim;
  return { status, waiting: null, started_at: atMs, worker, owner, deadline_at: deadlineAtMs };
}

/** Claims a pending run. Returns false if the run is no longer pending. */
export async function claimRun(tx: Transaction, id: string, claim: RunClaim): Promise<boolean> {
  const [run] = await updateClaimed(tx.db, { id, ...claim });
  if (!run) return false;
  await countMovedRun(tx.db, run, { from: 'pending', to: runMoves.claim.to });
  emitStarted(tx, { id, ...run }, claim);
  return true;
}

type Claimed = Pick<RunRow, 'id' | 'job_id' | 'tenant' | 'attempt' | 'created_at'>;

export function emitStarted(tx: Transaction, run: Claimed, { atMs }: RunClaim): void {
  const { id: runId, job_id: jobId, tenant, attempt } = run;
  const data = { status: runMoves.claim.to, attempt, waited_ms: atMs - run.created_at };
  tx.emit({ type: 'run.started', runId, jobId, tenant, data });
}

export type RunEnd = Exclude<RunMove, 'claim'>;
type Ending = Pick<RunRow, 'id' | 'reason' | 'finished_at' | 'exit_code' | 'error' | 'result'> &
  Pick<RunRow, 'termination' | 'left_behind'> & { readonly epoch: number | null };

const endMoved = {
  succeed: prepareEnd('succeed'),
  fail: prepareEnd('fail'),
  expire: prepareEnd('expire'),
  withdraw: prepareEnd('withdraw'),
  cancel: prepareEnd('cancel'),
} satisfies Record<RunEnd, unknown>;

function prepareEnd(move: RunEnd) {
  return prepareQuery((db, { id, epoch, result, ...ending }: Ending) =>
    db
      .updateTable('runs')
      .set((eb) => ({
        ...ending,
        status: runMoves[move].to,
        waiting: null,
        result: eb.fn.coalesce(eb.val(result), 'result'),
        version: eb('version', '+', 1),
      }))
      .where('id', '=', id)
      .where('status', 'in', runMoves[move].from)
      .where((eb) => isOfEpoch(eb, epoch))
      .returning(['job_id', 'tenant', 'source', 'attempt', 'started_at', 'created_at', 'trigger', 'labels']),
  );
}

/**
 * Ends the run. Returns false if its status or its epoch does not allow that. The caller must also end the steps, or
 * call `skipRest`.
 */
export async function endRun(tx: Transaction, id: string, move: RunEnd, change: RunChange): Promise<boolean> {
  const { to } = runMoves[move];
  const { atMs, reason = null, exitCode = null } = change;
  const [run] = await endMoved[move](tx.db, {
    id,
    reason,
    finished_at: atMs,
    exit_code: exitCode,
    error: toJsonOrNull(change.error),
    result: toJsonOrNull(change.result),
    termination: toJsonOrNull(change.termination),
    left_behind: toJsonOrNull(change.leftBehind),
    epoch: change.epoch ?? null,
  });
  if (!run) return false;
  const { job_id: jobId, tenant, attempt, started_at: startedAt } = run;
  await countMovedRun(tx.db, run, { from: startedAt === null ? 'pending' : 'running', to });
  await countEndedRun(tx.db, { ...run, id, status: to });
  await countStats(tx.db, { ...run, id, status: to, finished_at: atMs });
  await countFailure(tx.db, { ...run, id, status: to, reason, message: change.error?.message, finished_at: atMs });
  const duration_ms = startedAt === null ? null : atMs - startedAt;
  const { message, hint } = change.error ?? {};
  const words = { ...(message !== undefined && { message }), ...(hint !== undefined && { hint }) };
  const data = { status: to, reason, exit_code: exitCode, attempt, duration_ms, ...words };
  tx.emit({ type: 'run.finished', runId: id, jobId, tenant, data });
  return true;
}

type Touch = {
  id: string;
  attempt: number;
  result: string | null;
  deadlineAtMs: number | null;
  epoch: number | null;
};
const updateTouched = prepareQuery((db, values: Touch) =>
  db
    .updateTable('runs')
    .set((eb) => ({
      version: eb('version', '+', 1),
      attempt: eb
        .case()
        .when('attempt', '<', values.attempt)
        .then(eb.val(values.attempt))
        .else(eb.ref('attempt'))
        .end(),
      result: eb.fn.coalesce(eb.val(values.result), 'result'),
      deadline_at: eb.fn.coalesce(eb.val(values.deadlineAtMs), 'deadline_at'),
    }))
    .where('id', '=', values.id)
    .where('status', '=', 'running')
    .where((eb) => isOfEpoch(eb, values.epoch))
    .returning('id'),
);

/** The condition that the run is in this epoch. If the epoch is null, any epoch matches. */
function isOfEpoch(eb: ExpressionBuilder<Schema, 'runs'>, epoch: number | null): Expression<SqlBool> {
  return eb('epoch', '=', eb.fn.coalesce(eb.val(epoch), 'epoch'));
}

/**
 * Marks the run as changed, because one of its steps has changed. Returns false if the run is no longer running, or not
 * in the given epoch.
 */
export async function touchRun(
  tx: Transaction,
  id: string,
  o: {
    readonly attempt?: number;
    readonly result?: Run['result'];
    readonly deadlineAtMs?: number | undefined;
    readonly epoch?: number;
  },
): Promise<boolean> {
  const [run] = await updateTouched(tx.db, {
    id,
    attempt: o.attempt ?? 1,
    result: toJsonOrNull(o.result),
    deadlineAtMs: o.deadlineAtMs ?? null,
    epoch: o.epoch ?? null,
  });
  return run !== undefined;
}

/** Stores the first request to cancel the run. Returns false if there was one before, or the run has ended. */
export async function requestCancel(
  tx: Transaction,
  id: string,
  { atMs, by }: { readonly atMs: number; readonly by: string },
): Promise<boolean> {
  const run = await tx.db
    .updateTable('runs')
    .set((eb) => ({ cancel_requested_at: atMs, cancel_requested_by: by, version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .where('status', 'in', ['pending', 'running'])
    .where('cancel_requested_at', 'is', null)
    .returning(['job_id', 'tenant', 'status'])
    .executeTakeFirst();
  if (!run) return false;
  const { job_id: jobId, tenant, status } = run;
  tx.emit({ type: 'run.cancelling', runId: id, jobId, tenant, data: { status, by } });
  return true;
}

/** @param epoch the epoch of a running run that its owner drives; undefined for a pending run */
export async function setWaiting(tx: Transaction, id: string, waiting: string | null, epoch?: number): Promise<void> {
  const run = await tx.db
    .updateTable('runs')
    .set((eb) => ({ waiting, version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .where('status', '=', epoch === undefined ? 'pending' : 'running')
    .where((eb) => isOfEpoch(eb, epoch ?? null))
    .where('waiting', 'is distinct from', waiting)
    .returning(['job_id', 'tenant', 'status'])
    .executeTakeFirst();
  if (!run) return;
  const { job_id: jobId, tenant, status } = run;
  const data = waiting === null ? { status } : { status, message: waiting };
  tx.emit({ type: 'run.waiting', runId: id, jobId, tenant, data });
}

const selectEpoch = prepareQuery((db, { id, epoch }: { id: string; epoch: number }) =>
  db.selectFrom('runs').select('id').where('id', '=', id).where('epoch', '=', epoch),
);

/** Whether the run is still in this epoch, so that no other process has taken it over. */
export async function isHeld(tx: Transaction, id: string, epoch: number): Promise<boolean> {
  return (await selectEpoch(tx.db, { id, epoch })).length > 0;
}

/** Records the progress of a run. Changes nothing if the run has ended or another process has taken it over. */
export async function setProgress(tx: Transaction, id: string, progress: Progress, epoch: number): Promise<void> {
  const run = await tx.db
    .updateTable('runs')
    .set((eb) => ({ progress: JSON.stringify(progress), version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .where('status', '=', 'running')
    .where('epoch', '=', epoch)
    .returning(['job_id', 'tenant'])
    .executeTakeFirst();
  if (!run) return;
  tx.emit({ type: 'run.progress', runId: id, jobId: run.job_id, tenant: run.tenant, data: { ...progress } });
}
