// Converts rows of `runs` and `steps` to runs and steps of the domain.

import type { Kysely } from 'kysely';
import type { Run, RunSummary, Step } from '../../domain/run.ts';
import { toTimestamp } from '../../lib/clock.ts';
import type { RunRow, Schema, StepRow } from '../schema.ts';

/** The columns that a summary needs. */
export const summaryColumns = [
  'id',
  'job_id',
  'tenant',
  'status',
  'reason',
  'waiting',
  'created_at',
  'started_at',
  'finished_at',
  'exit_code',
  'attempt',
  'priority',
  'trigger',
  'created_by',
  'labels',
  'progress',
  'error',
] as const satisfies (keyof RunRow)[];

/** The parts of a run that never change and are only shown. They share one JSON column. */
export type RunDetails = Pick<Run, 'rerun_of' | 'parent' | 'limits' | 'grants' | 'source' | 'security' | 'request_id'>;

export type SummaryRow = Pick<RunRow, (typeof summaryColumns)[number]>;

/** Reads the steps of running runs, to say whether they wait for an approval. Without such a run, it needs no query. */
export async function toSummaries(db: Kysely<Schema>, rows: readonly SummaryRow[]): Promise<RunSummary[]> {
  const running = rows.filter(({ status }) => status === 'running').map(({ id }) => id);
  const asking = running.length === 0 ? [] : await stepsAsking(db, running);
  return rows.map((row) =>
    toSummary(
      row,
      asking.filter(({ run_id: id }) => id === row.id).map(({ step_id: id }) => id),
    ),
  );
}

function stepsAsking(db: Kysely<Schema>, runIds: readonly string[]) {
  return db
    .selectFrom('steps')
    .select(['run_id', 'step_id'])
    .where('run_id', 'in', runIds)
    .where('status', '=', 'waiting_approval')
    .orderBy('n')
    .execute();
}

/** `asking`: the steps of a running run that wait for an approval. */
function toSummary(row: SummaryRow, asking: readonly string[]): RunSummary {
  return {
    run_id: row.id,
    job_id: row.job_id,
    tenant: row.tenant,
    status: row.status,
    reason: row.reason,
    waiting: row.status === 'running' ? approvalWords(asking) : row.waiting,
    created_at: toTimestamp(row.created_at),
    started_at: toTimestampOrNull(row.started_at),
    finished_at: toTimestampOrNull(row.finished_at),
    exit_code: row.exit_code,
    attempt: row.attempt,
    priority: row.priority,
    trigger: { type: row.trigger },
    created_by: row.created_by,
    labels: JSON.parse(row.labels),
    progress: parseOrNull(row.progress),
    error: parseOrNull(row.error),
  };
}

function approvalWords([first, ...others]: readonly string[]): string | null {
  if (first === undefined) return null;
  if (others.length === 0) return `${first} waits for an approval`;
  return `${first} and ${others.length === 1 ? 'another step' : `${others.length} other steps`} wait for an approval`;
}

/** For rows ordered by step and attempt: the last attempt of each step. */
export function lastAttempts(rows: readonly StepRow[]): StepRow[] {
  return rows.filter((row, at) => rows[at + 1]?.n !== row.n);
}

export function toRun(row: RunRow, steps: readonly StepRow[]): Run {
  const details: RunDetails = JSON.parse(row.details);
  const asking = steps.filter(({ status }) => status === 'waiting_approval').map(({ step_id: id }) => id);
  return {
    ...toSummary(row, asking),
    args: JSON.parse(row.args),
    result: parseOrNull(row.result),
    steps: lastAttempts(steps).map(toStep),
    ...details,
    termination: parseOrNull(row.termination),
    left_behind: parseOrNull(row.left_behind),
    worker: row.worker,
    cancel_requested_at: toTimestampOrNull(row.cancel_requested_at),
  };
}

export function toStep(row: StepRow): Step {
  return {
    step_id: row.step_id,
    name: row.name,
    kind: row.kind,
    status: row.status,
    reason: row.reason,
    message: row.message,
    hint: row.hint,
    attempt: row.attempt,
    needs: JSON.parse(row.needs),
    instance_of: row.instance_of,
    not_before: toTimestampOrNull(row.not_before),
    started_at: toTimestampOrNull(row.started_at),
    finished_at: toTimestampOrNull(row.finished_at),
    exit_code: row.exit_code,
    outputs: JSON.parse(row.outputs),
    child_run_id: row.child_run_id,
    approval: parseOrNull(row.approval),
    termination: parseOrNull(row.termination),
  };
}

export function toTimestampOrNull(atMs: number | null): string | null {
  return atMs === null ? null : toTimestamp(atMs);
}

/** For a nullable JSON column. */
export function toJsonOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value);
}

/** Untyped, like all JSON here: the column decides the type. */
function parseOrNull(json: string | null): ReturnType<typeof JSON.parse> {
  return json === null ? null : JSON.parse(json);
}
