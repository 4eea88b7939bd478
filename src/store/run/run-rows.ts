// Converts rows of `runs` and `steps` to runs and steps of the domain.

import { type Kysely, sql } from 'kysely';
import { argsText } from '../../domain/args-text.ts';
import { unionMs } from '../../domain/job-times.ts';
import type { OpenApproval, Run, RunSummary, Step } from '../../domain/run.ts';
import { toTimestamp } from '../../lib/clock.ts';
import type { RunRow, Schema, StepRow } from '../schema.ts';
import { ownTrace } from './span-ids.ts';
import { isStartedHere, whereStartedHere } from './started-here.ts';

/** The columns of a summary, except the arguments (`listedArgs`). */
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

/** The parts of a run that never change and are only shown. They are stored in one JSON column. */
export type RunDetails = Pick<Run, 'rerun_of' | 'parent' | 'limits' | 'grants' | 'source' | 'security' | 'request_id'> &
  Partial<Pick<Run, 'trigger' | 'trace'>>;

type SummaryColumns = Pick<RunRow, (typeof summaryColumns)[number]>;
/** `args` is null if the arguments are too long to be read for a list. */
export type SummaryRow = SummaryColumns & { readonly args: string | null };

const longestListedArgs = 4_000;

/** Selects the arguments, unless they are too long to be read for a list. */
export const listedArgs = sql<
  string | null
>`case when length(runs.args) <= ${sql.lit(longestListedArgs)} then runs.args end`.as('args');

export function selectSummaries(db: Kysely<Schema>) {
  return db.selectFrom('runs').select([...summaryColumns, listedArgs]);
}

/**
 * Turns rows into summaries. Also reads the approvals of runs that have started. If no run has started, this needs no
 * query.
 */
export async function toSummaries(db: Kysely<Schema>, rows: readonly SummaryRow[]): Promise<RunSummary[]> {
  const started = rows.flatMap(({ id, started_at: at }) => (at === null ? [] : [id]));
  const approvals = Map.groupBy(started.length === 0 ? [] : await approvalsOf(db, started), ({ run_id: id }) => id);
  return rows.map((row) => ({
    ...toListed(row, approvals.get(row.id) ?? []),
    args_text: row.args === null ? '…' : argsText(JSON.parse(row.args)),
  }));
}

type ApprovalStep = Pick<StepRow, 'step_id' | 'message' | 'status' | 'started_at' | 'finished_at'>;

function approvalsOf(db: Kysely<Schema>, runIds: readonly string[]) {
  return db
    .selectFrom('steps')
    .select(['run_id', 'step_id', 'message', 'status', 'started_at', 'finished_at'])
    .where('run_id', 'in', runIds)
    .where('kind', '=', 'approval')
    .where(whereStartedHere)
    .orderBy('n')
    .execute();
}

function toListed(row: SummaryColumns, approvals: readonly ApprovalStep[]): Omit<RunSummary, 'args_text'> {
  const asking = row.status === 'running' ? approvals.filter(({ status }) => status === 'waiting_approval') : [];
  return {
    run_id: row.id,
    job_id: row.job_id,
    tenant: row.tenant,
    status: row.status,
    reason: row.reason,
    waiting: asking.length > 0 ? approvalWords(asking) : row.waiting,
    waiting_approval: asking.map(toOpenApproval),
    approval_ms: unionMs(approvals.flatMap(toAnswered)),
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

function toAnswered({ started_at: startedAtMs, finished_at: finishedAtMs }: ApprovalStep) {
  return startedAtMs === null || finishedAtMs === null ? [] : [{ startedAtMs, finishedAtMs }];
}

/** `started_at` is never null here, because a step that waits has started. */
function toOpenApproval({ step_id, message, started_at }: ApprovalStep): OpenApproval {
  return { step_id, question: message, since: toTimestamp(started_at ?? 0) };
}

function approvalWords([first, ...others]: readonly ApprovalStep[]): string | null {
  if (first === undefined) return null;
  if (others.length === 0) return `${first.step_id} waits for an approval`;
  return `${first.step_id} and ${others.length === 1 ? 'another step' : `${others.length} other steps`} wait for an approval`;
}

/** Returns the last attempt of each step, from rows ordered by step and attempt. */
export function lastAttempts(rows: readonly StepRow[]): StepRow[] {
  return rows.filter((row, at) => rows[at + 1]?.n !== row.n);
}

export function toRun(row: RunRow, steps: readonly StepRow[]): Run {
  const details: RunDetails = JSON.parse(row.details);
  return {
    ...toListed(
      row,
      steps.filter((step) => step.kind === 'approval' && isStartedHere(step)),
    ),
    args: JSON.parse(row.args),
    result: parseOrNull(row.result),
    steps: lastAttempts(steps).map(toStep),
    ...details,
    trace: traceOfRow(row.id, details),
    termination: parseOrNull(row.termination),
    left_behind: parseOrNull(row.left_behind),
    worker: row.worker,
    cancel_requested_at: toTimestampOrNull(row.cancel_requested_at),
    cancel_requested_by: row.cancel_requested_by,
  };
}

export function traceOfRow(runId: string, { trace }: RunDetails): Run['trace'] {
  return trace ?? ownTrace(runId);
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
    item: row.item === null ? null : shortItem(JSON.parse(row.item)),
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

const longestItem = 100;

/** The item of an instance, if it is short. Lists, objects and long texts are not shown in the name of an instance. */
function shortItem({ item }: { readonly item?: unknown }): string | null {
  if (typeof item === 'number' || typeof item === 'boolean') return String(item);
  return typeof item === 'string' && item.length <= longestItem ? item : null;
}

export function toTimestampOrNull(atMs: number | null): string | null {
  return atMs === null ? null : toTimestamp(atMs);
}

/** Returns the value for a JSON column that may be null. */
export function toJsonOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value);
}

/**
 * Parses a JSON column that may be null. Like all JSON here, the result is untyped, because its type depends on the
 * column.
 */
export function parseOrNull(json: string | null): ReturnType<typeof JSON.parse> {
  return json === null ? null : JSON.parse(json);
}
