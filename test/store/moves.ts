// Moves a run with one step, and the step with it, as the engine does.

import { stepIdOfSingle } from '../../src/domain/job.ts';
import { type RunMove, runMoves } from '../../src/domain/run.ts';
import type { Transaction } from '../../src/store/database.ts';
import type { RunChange, RunStore } from '../../src/store/run/runs.ts';
import { startStep, stepStore } from '../../src/store/run/step-moves.ts';

export type MoveChange = RunChange & {
  readonly worker?: string;
  readonly outputs?: Readonly<Record<string, string>>;
};

const at = { stepId: stepIdOfSingle, attempt: 1 };

export async function moveRun(
  tx: Transaction,
  runs: RunStore,
  id: string,
  by: RunMove,
  { worker = 'host-1', outputs = {}, ...change }: MoveChange,
): Promise<boolean> {
  const run = await tx.db
    .selectFrom('runs')
    .select(['job_id', 'tenant', 'status'])
    .where('id', '=', id)
    .executeTakeFirst();
  const about = { runId: id, jobId: run?.job_id ?? '', tenant: run?.tenant ?? '' };
  const { atMs } = change;
  if (by === 'claim') {
    if (!(await runs.claim(tx, id, { atMs, owner: 'owner-1', worker, deadlineAtMs: null }))) return false;
    return startStep(tx, about, at, { status: 'running', atMs, worker, deadlineAtMs: null });
  }
  const { to, from } = runMoves[by];
  const isFrom: readonly string[] = from;
  if (run?.status === 'running' && isFrom.includes('running')) {
    const { reason = null, exitCode = null, termination = null } = change;
    const ending = { status: to, reason, exitCode, termination, outputs, atMs };
    await stepStore.end(tx, about, { ...at, epoch: 1 }, ending);
  }
  return runs.end(tx, id, by, change);
}
