// Lists approvals of all runs. One list has the approvals that steps wait for, and the other has the approvals that
// have ended. Each list has its own index, of which a query reads only a limited part.

import { setImmediate as yieldNow } from 'node:timers/promises';
import { type Kysely, sql } from 'kysely';
import type { StepDefinition } from '../../domain/job.ts';
import type { Approval, RunPlan } from '../../domain/run.ts';
import { nominalTimeOf } from '../../domain/schedule.ts';
import { toTimestamp } from '../../lib/clock.ts';
import type { RunRow, Schema, StepRow } from '../schema.ts';
import { readPlan } from './earlier-plans.ts';
import { parseOrNull, toTimestampOrNull } from './run-rows.ts';

export type ApprovalQuery = {
  readonly state: 'waiting' | 'answered';
  readonly runId?: string;
  readonly jobId?: string;
  readonly jobIds?: readonly string[];
  readonly tenant?: string;
  readonly limit: number;
};

export type ApprovalPage = {
  readonly approvals: readonly Approval[];
  readonly total: number;
  /** False if there were too many approvals to search all of them. Then `total` is a lower bound. */
  readonly isTotalExact: boolean;
};

/** How many approvals are searched and counted. They are the first ones in the order of the list. */
const mostSearched = 10_000;
/** How many plans to read before other work runs. A plan can be large. */
const slice = 25;

export async function listApprovals(db: Kysely<Schema>, query: ApprovalQuery): Promise<ApprovalPage> {
  const { limit, state } = query;
  const lastAtMs = await lastSearched(db, state);
  const rows = await approvalsOf(db, query, lastAtMs)
    .select([
      'run.id',
      'run.job_id',
      'run.tenant',
      'run.created_by',
      'run.created_at',
      'run.trigger',
      'run.args',
      'run.labels',
    ])
    .select(['step.step_id', 'step.name', 'step.instance_of', 'step.message', 'step.started_at', 'step.finished_at'])
    .select(['step.deadline_at', 'step.approval'])
    .limit(limit)
    .execute();
  const approvals: Approval[] = [];
  for (let from = 0; from < rows.length; from += slice) {
    if (from > 0) await yieldNow();
    const part = rows.slice(from, from + slice);
    const questions = await questionsOf(db, part);
    approvals.push(...part.map((row, at) => toApproval(row, questions[at])));
  }
  const total = rows.length < limit ? rows.length : await countApprovals(approvalsOf(db, query, lastAtMs));
  return { approvals, total, isTotalExact: lastAtMs === undefined };
}

type Row = Pick<RunRow, 'id' | 'job_id' | 'tenant' | 'created_by' | 'created_at' | 'trigger' | 'args' | 'labels'> &
  Pick<StepRow, 'step_id' | 'name' | 'instance_of' | 'message' | 'started_at' | 'finished_at'> &
  Pick<StepRow, 'deadline_at' | 'approval'>;

function toApproval(row: Row, question: Question | undefined): Approval {
  const answer = parseOrNull(row.approval);
  return {
    run_id: row.id,
    job_id: row.job_id,
    tenant: row.tenant,
    created_by: row.created_by,
    trigger: { type: row.trigger },
    args: JSON.parse(row.args),
    run_created_at: toTimestamp(row.created_at),
    nominal_at: nominalTimeOf(row.trigger, JSON.parse(row.labels)),
    step_id: row.step_id,
    step_name: row.name,
    // If the step has ended, its message says how it ended. Then the question is read from the plan.
    question: row.finished_at === null ? row.message : (question?.text ?? null),
    since: toTimestamp(row.started_at ?? 0),
    deadline: row.finished_at === null ? toTimestampOrNull(row.deadline_at) : null,
    by: question?.by ?? null,
    not_by_starter: question?.notByStarter === true || question?.starter?.isAgent === true,
    starter: question?.starter,
    answer: answer && { ...answer, at: toTimestamp(row.finished_at ?? 0) },
    finished_at: toTimestampOrNull(row.finished_at),
  };
}

async function countApprovals(query: ReturnType<typeof approvalsOf>): Promise<number> {
  const { total } = await query
    .clearOrderBy()
    .select((eb) => eb.fn.countAll<number | string>().as('total'))
    .executeTakeFirstOrThrow();
  return Number(total);
}

/** Returns the time of the first approval in the list that is not searched; undefined if all approvals are searched. */
async function lastSearched(db: Kysely<Schema>, state: ApprovalQuery['state']): Promise<number | undefined> {
  const place = { waiting: 'step.started_at', answered: 'step.finished_at' } as const;
  const beyond = await stepsIn(db, state)
    .select(`${place[state]} as atMs`)
    .offset(mostSearched)
    .limit(1)
    .executeTakeFirst();
  return beyond?.atMs ?? undefined;
}

/**
 * Reads approvals in the order of the list. The conditions contain their values, because the partial indexes require
 * that.
 */
function stepsIn(db: Kysely<Schema>, state: ApprovalQuery['state']) {
  const isInState =
    state === 'waiting'
      ? sql<boolean>`step.status = 'waiting_approval'`
      : sql<boolean>`step.kind = 'approval' and step.finished_at is not null and (step.approval is not null or step.status = 'failed')`;
  const steps = db.selectFrom('steps as step').where(isInState);
  return state === 'waiting'
    ? steps.orderBy('step.started_at').orderBy('step.run_id')
    : steps.orderBy('step.finished_at', 'desc').orderBy('step.run_id', 'desc');
}

function approvalsOf(
  db: Kysely<Schema>,
  { state, runId, jobId, jobIds, tenant }: ApprovalQuery,
  lastAtMs: number | undefined,
) {
  let query = stepsIn(db, state).innerJoin('runs as run', 'run.id', 'step.run_id');
  if (lastAtMs !== undefined) {
    query =
      state === 'waiting'
        ? query.where('step.started_at', '<', lastAtMs)
        : query.where('step.finished_at', '>', lastAtMs);
  }
  if (state === 'waiting') query = query.where(isOfRun('run.status', 'running'));
  if (runId !== undefined) query = query.where(isOfRun('run.id', runId));
  if (jobId !== undefined) query = query.where(isOfRun('run.job_id', jobId));
  if (jobIds !== undefined) query = query.where(sql<boolean>`coalesce(run.job_id, '') in (${sql.join(jobIds)})`);
  return tenant === undefined ? query : query.where(isOfRun('run.tenant', tenant));
}

/**
 * Compares a column in a form that hides it from the planner. Otherwise the planner would read all runs of the tenant
 * to find the few steps.
 */
function isOfRun(column: string, value: string) {
  return sql<boolean>`coalesce(${sql.ref(column)}, '') = ${value}`;
}

type Question = Extract<StepDefinition['action'], { readonly kind: 'approval' }> & Pick<RunPlan, 'starter'>;

/** Reads from the plan what the job file says about each approval, such as its text and who may answer. */
async function questionsOf(db: Kysely<Schema>, rows: readonly Row[]): Promise<(Question | undefined)[]> {
  const stored = await db
    .selectFrom('run_plans')
    .select(['run_id', 'plan'])
    .where('run_id', 'in', [...new Set(rows.map(({ id }) => id))])
    .execute();
  const planOf = new Map(stored.map(({ run_id: id, plan }) => [id, readPlan(plan)]));
  return rows.map((row) => {
    const { job, starter } = planOf.get(row.id) ?? {};
    const action = job?.steps.find(({ id }) => id === (row.instance_of ?? row.step_id))?.action;
    return action?.kind === 'approval' ? { ...action, ...(starter && { starter }) } : undefined;
  });
}
