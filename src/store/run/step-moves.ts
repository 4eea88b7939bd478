// Changes attempts of steps. Each change is one statement with its precondition in the `where`. A change of a running
// attempt names its epoch, so only the process that drives the attempt can make it (ADR 0014).

import { sql } from 'kysely';
import type { Decision, StepReason, StepStatus, Termination } from '../../domain/run.ts';
import type { Transaction } from '../database.ts';
import { prepareQuery } from '../prepared-query.ts';
import type { StepRow } from '../schema.ts';
import { touchRun } from './run-moves.ts';
import { toJsonOrNull } from './run-rows.ts';

/** The run that a step belongs to, as the events of the step name it. */
export type About = { readonly runId: string; readonly jobId: string; readonly tenant: string };

export type NewStep = Pick<StepRow, 'step_id' | 'n' | 'name' | 'kind'> & {
  readonly needs: readonly string[];
} & Partial<Pick<StepRow, 'instance_of' | 'item' | 'attempt' | 'not_before'>> & {
    /** In a rerun, the result of this step that is kept from an earlier run. */
    readonly kept?: Pick<StepRow, 'status' | 'started_at' | 'finished_at' | 'exit_code' | 'outputs' | 'sealed'>;
    /** Set if the step starts in the transaction that adds it. */
    readonly start?: StepStart | undefined;
  };

export type StepStart = {
  readonly status: 'running' | 'waiting_approval';
  readonly atMs: number;
  readonly worker: string | null;
  readonly deadlineAtMs: number | null;
  /** The question, if the step is an approval. */
  readonly message?: string | null;
};

export type StepEnding = {
  readonly status: Extract<StepStatus, 'success' | 'failed' | 'cancelled'>;
  readonly reason: StepReason | null;
  readonly atMs: number;
  readonly exitCode?: number | null;
  readonly message?: string | null;
  readonly hint?: string | null;
  readonly outputs?: Readonly<Record<string, string>>;
  readonly sealed?: string | null;
  readonly termination?: Termination | null;
  readonly approval?: Decision | null;
};

const insertStep = prepareQuery((db, row: StepRow) => db.insertInto('steps').values(row));

export async function addSteps(tx: Transaction, runId: string, steps: readonly NewStep[]): Promise<void> {
  for (const step of steps) await insertStep(tx.db, toRow(runId, step));
}

function toRow(runId: string, step: NewStep): StepRow {
  return {
    run_id: runId,
    step_id: step.step_id,
    attempt: step.attempt ?? 1,
    name: step.name,
    status: 'pending',
    reason: null,
    started_at: null,
    finished_at: null,
    exit_code: null,
    needs: JSON.stringify(step.needs),
    outputs: '{}',
    n: step.n,
    kind: step.kind,
    instance_of: step.instance_of ?? null,
    item: step.item ?? null,
    epoch: 0,
    worker: null,
    not_before: step.not_before ?? null,
    deadline_at: null,
    child_run_id: null,
    message: null,
    approval: null,
    termination: null,
    sealed: null,
    hint: null,
    ...step.kept,
    ...(step.start && started(step.start)),
  };
}

type StepKey = Pick<StepRow, 'run_id' | 'step_id' | 'attempt'>;
type Started = Pick<StepRow, 'status' | 'started_at' | 'worker' | 'deadline_at' | 'message' | 'epoch'>;

function started({ status, atMs, worker, deadlineAtMs, message = null }: StepStart): Started {
  return { status, started_at: atMs, worker, deadline_at: deadlineAtMs, message, epoch: 1 };
}

const updateStarted = prepareQuery((db, { run_id, step_id, attempt, ...values }: StepKey & Started) =>
  db
    .updateTable('steps')
    .set(values)
    .where((eb) => eb.and({ run_id, step_id, attempt, status: 'pending' }))
    .returning('step_id'),
);

/**
 * Starts a pending attempt, or lets it wait for its approval, in epoch 1. Returns false if the attempt was not pending.
 */
export async function startStep(
  tx: Transaction,
  about: About,
  at: { readonly stepId: string; readonly attempt: number },
  start: StepStart,
): Promise<boolean> {
  const key = { run_id: about.runId, step_id: at.stepId, attempt: at.attempt };
  const [row] = await updateStarted(tx.db, { ...key, ...started(start) });
  if (!row) return false;
  emitStepStarted(tx, about, at, start);
  return true;
}

export function emitStepStarted(
  tx: Transaction,
  about: About,
  at: { readonly stepId: string; readonly attempt: number },
  { status, message = null }: StepStart,
): void {
  const data = { status, attempt: at.attempt, step_id: at.stepId, ...(message === null ? {} : { message }) };
  tx.emit({ type: status === 'running' ? 'step.started' : 'step.waiting_approval', ...about, data });
}

type Ended = Pick<StepRow, 'status' | 'reason' | 'finished_at' | 'exit_code' | 'message' | 'outputs'> &
  Pick<StepRow, 'hint' | 'sealed' | 'termination' | 'approval' | 'epoch'>;

const updateEnded = prepareQuery((db, { run_id, step_id, attempt, epoch, ...ended }: StepKey & Ended) =>
  db
    .updateTable('steps')
    .set(ended)
    .where((eb) => eb.and({ run_id, step_id, attempt }))
    .where('epoch', '=', epoch)
    .where('finished_at', 'is', null)
    .returning('step_id'),
);

/**
 * Ends an attempt. Changes nothing and returns false if the attempt has ended or is in another epoch. The epoch is 0
 * before the start.
 */
export async function endStep(
  tx: Transaction,
  about: About,
  at: { readonly stepId: string; readonly attempt: number; readonly epoch: number },
  ending: StepEnding,
): Promise<boolean> {
  const { status, reason, atMs, exitCode = null, message = null, hint = null } = ending;
  const [row] = await updateEnded(tx.db, {
    run_id: about.runId,
    step_id: at.stepId,
    attempt: at.attempt,
    epoch: at.epoch,
    status,
    reason,
    finished_at: atMs,
    exit_code: exitCode,
    message,
    hint,
    outputs: JSON.stringify(ending.outputs ?? {}),
    sealed: ending.sealed ?? null,
    termination: toJsonOrNull(ending.termination),
    approval: toJsonOrNull(ending.approval),
  });
  if (!row) return false;
  const words = { ...(message !== null && { message }), ...(hint !== null && { hint }) };
  const data = { status, reason, exit_code: exitCode, attempt: at.attempt, step_id: at.stepId, ...words };
  tx.emit({ type: 'step.finished', ...about, data });
  return true;
}

export type StepSkip = { readonly reason: StepReason; readonly atMs: number; readonly message: string };

type Skipped = Pick<StepRow, 'reason' | 'finished_at' | 'message'>;

const updateSkipped = prepareQuery(
  (db, { run_id, step_id, ...skipped }: Pick<StepRow, 'run_id' | 'step_id'> & Skipped) =>
    db
      .updateTable('steps')
      .set({ ...skipped, status: 'skipped' })
      .where((eb) => eb.and({ run_id, step_id, status: 'pending' }))
      .returning('step_id'),
);

/** Skips a pending step. Returns false if the step was not pending. */
export async function skipStep(
  tx: Transaction,
  about: About,
  stepId: string,
  { reason, atMs, message }: StepSkip,
): Promise<boolean> {
  const skipped = { reason, finished_at: atMs, message };
  const [row] = await updateSkipped(tx.db, { run_id: about.runId, step_id: stepId, ...skipped });
  if (!row) return false;
  tx.emit({ type: 'step.skipped', ...about, data: { step_id: stepId, status: 'skipped', reason, message } });
  return true;
}

const updateRest = prepareQuery((db, { runId, atMs }: { runId: string; atMs: number }) =>
  db
    .updateTable('steps')
    .set({
      status: 'skipped',
      reason: 'run_ended',
      finished_at: atMs,
      message: 'the run ended while this step was waiting',
    })
    .where('run_id', '=', runId)
    .where('status', '=', 'pending'),
);

/** Skips all pending steps of a run that ends. It emits no events for them. */
export async function skipRest(tx: Transaction, runId: string, atMs: number): Promise<void> {
  await updateRest(tx.db, { runId, atMs });
}

export type RetriedStep = NewStep & { readonly attempt: number; readonly not_before: number };

/** Adds the next attempt of a step. It does not start before `not_before`. */
export async function addRetry(tx: Transaction, about: About, step: RetriedStep, message: string): Promise<void> {
  await addSteps(tx, about.runId, [step]);
  const data = { step_id: step.step_id, attempt: step.attempt, message };
  tx.emit({ type: 'step.retrying', ...about, data });
}

/** Begins the next epoch of all attempts of a run that have started. From then on, this process drives them. */
export async function resumeSteps(tx: Transaction, runId: string, worker: string): Promise<void> {
  await tx.db
    .updateTable('steps')
    .set((eb) => ({ epoch: eb('epoch', '+', 1), worker }))
    .where('run_id', '=', runId)
    .where('finished_at', 'is', null)
    .where('status', '!=', 'pending')
    .execute();
}

/**
 * Records which run a step has started. Returns false if the step already has one, has ended, or is in another epoch.
 */
async function nameChild(
  tx: Transaction,
  at: { readonly runId: string; readonly stepId: string; readonly attempt: number; readonly epoch: number },
  childRunId: string,
): Promise<boolean> {
  const row = await tx.db
    .updateTable('steps')
    .set({ child_run_id: childRunId })
    .where((eb) => eb.and({ run_id: at.runId, step_id: at.stepId, attempt: at.attempt, epoch: at.epoch }))
    .where('child_run_id', 'is', null)
    .where('finished_at', 'is', null)
    .returning(sql`1`.as('one'))
    .executeTakeFirst();
  return row !== undefined;
}

/** The changes of steps that the engine makes without a batch. */
export const stepStore = {
  end: endStep,
  nameChild,
  /** Must be called with every change of a step of a running run. Returns false if the run is no longer running. */
  touch: touchRun,
};
export type StepStore = typeof stepStore;
