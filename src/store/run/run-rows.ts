// Converts rows of `runs` and `steps` to runs and steps of the domain.

import { type Kysely, sql } from 'kysely';
import { argsText } from '../../domain/args-text.ts';
import type { OpenApproval, Run, RunSummary, Step } from '../../domain/run.ts';
import { toTimestamp } from '../../lib/clock.ts';
import type { RunRow, Schema, StepRow } from '../schema.ts';

/** The columns that a summary needs, besides `listedArgs`. */
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

type SummaryColumns = Pick<RunRow, (typeof summaryColumns)[number]>;
/** `args` is null when it is too long to be read for a list. */
export type SummaryRow = SummaryColumns & { readonly args: string | null };

const longestListedArgs = 4_000;

/** The arguments, unless they are too long to be read for a list. */
export const listedArgs = sql<
  string | null
>`case when length(runs.args) <= ${sql.lit(longestListedArgs)} then runs.args end`.as('args');

export function selectSummaries(db: Kysely<Schema>) {
  return db.selectFrom('runs').select([...summaryColumns, listedArgs]);
}

/** Reads the steps of running runs, to say whether they wait for an approval. Without such a run, it needs no query. */
export async function toSummaries(db: Kysely<Schema>, rows: readonly SummaryRow[]): Promise<RunSummary[]> {
  const running = rows.filter(({ status }) => status === 'running').map(({ id }) => id);
  const asking = running.length === 0 ? [] : await stepsAsking(db, running);
  return rows.map((row) => ({
    ...toListed(
      row,
      asking.filter(({ run_id: id }) => id === row.id),
    ),
    args_text: row.args === null ? '…' : argsText(JSON.parse(row.args)),
  }));
}

type AskingStep = Pick<StepRow, 'step_id' | 'message' | 'started_at'>;

function stepsAsking(db: Kysely<Schema>, runIds: readonly string[]) {
  return db
    .selectFrom('steps')
    .select(['run_id', 'step_id', 'message', 'started_at'])
    .where('run_id', 'in', runIds)
    .where('status', '=', 'waiting_approval')
    .orderBy('n')
    .execute();
}

/** `asking`: the steps of a running run that wait for an approval. */
function toListed(row: SummaryColumns, asking: readonly AskingStep[]): Omit<RunSummary, 'args_text'> {
  return {
    run_id: row.id,
    job_id: row.job_id,
    tenant: row.tenant,
    status: row.status,
    reason: row.reason,
    waiting: row.status === 'running' ? approvalWords(asking) : row.waiting,
    waiting_approval: asking.map(toOpenApproval),
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

/** A step that waits has always started. */
function toOpenApproval({ step_id, message, started_at }: AskingStep): OpenApproval {
  return { step_id, question: message, since: toTimestamp(started_at ?? 0) };
}

function approvalWords([first, ...others]: readonly AskingStep[]): string | null {
  if (first === undefined) return null;
  if (others.length === 0) return `${first.step_id} waits for an approval`;
  return `${first.step_id} and ${others.length === 1 ? 'another step' : `${others.length} other steps`} wait for an approval`;
}

/** For rows ordered by step and attempt: the last attempt of each step. */
export function lastAttempts(rows: readonly StepRow[]): StepRow[] {
  return rows.filter((row, at) => rows[at + 1]?.n !== row.n);
}

export function toRun(row: RunRow, steps: readonly StepRow[]): Run {
  const details: RunDetails = JSON.parse(row.details);
  return {
    ...toListed(
      row,
      steps.filter(({ status }) => status === 'waiting_approval'),
    ),
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
export function parseOrNull(json: string | null): ReturnType<typeof JSON.parse> {
  return json === null ? null : JSON.parse(json);
}
