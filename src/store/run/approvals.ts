// Lists approvals across runs: those that steps wait for, and those that have ended. Each list has an index of its own,
// so it costs as much as it returns.

import { type Kysely, sql } from 'kysely';
import type { Approval } from '../../domain/run.ts';
import { toTimestamp } from '../../lib/clock.ts';
import type { Schema } from '../schema.ts';
import { readPlan } from './earlier-plans.ts';
import { parseOrNull, toTimestampOrNull } from './run-rows.ts';

export type ApprovalQuery = {
  readonly state: 'waiting' | 'answered';
  readonly jobId?: string;
  readonly tenant?: string;
  readonly limit: number;
};

export type ApprovalPage = { readonly approvals: readonly Approval[]; readonly total: number };

export async function listApprovals(db: Kysely<Schema>, query: ApprovalQuery): Promise<ApprovalPage> {
  const { limit, state } = query;
  const rows = await inOrder(approvalsOf(db, query), state)
    .innerJoin('run_plans as plan', 'plan.run_id', 'run.id')
    .select(['run.id', 'run.job_id', 'run.tenant', 'run.created_by', 'run.created_at', 'run.trigger', 'run.args'])
    .select(['step.step_id', 'step.name', 'step.instance_of', 'step.message', 'step.started_at', 'step.finished_at'])
    .select(['step.deadline_at', 'step.approval', 'plan.plan'])
    .limit(limit)
    .execute();
  const approvals = rows.map((row): Approval => {
    const answer = parseOrNull(row.approval);
    const question = questionOf(row);
    return {
      run_id: row.id,
      job_id: row.job_id,
      tenant: row.tenant,
      created_by: row.created_by,
      trigger: { type: row.trigger },
      args: JSON.parse(row.args),
      run_created_at: toTimestamp(row.created_at),
      step_id: row.step_id,
      step_name: row.name,
      // The message of a step that has ended says how it ended.
      question: row.finished_at === null ? row.message : (question?.text ?? null),
      since: toTimestamp(row.started_at ?? 0),
      deadline: row.finished_at === null ? toTimestampOrNull(row.deadline_at) : null,
      by: question?.by ?? null,
      answer: answer && { ...answer, at: toTimestamp(row.finished_at ?? 0) },
      finished_at: toTimestampOrNull(row.finished_at),
    };
  });
  const { total } = await approvalsOf(db, query)
    .select((eb) => eb.fn.countAll<number | string>().as('total'))
    .executeTakeFirstOrThrow();
  return { approvals, total: Number(total) };
}

/** The conditions on the step are those of the partial indexes, so they are literals. */
function approvalsOf(db: Kysely<Schema>, { state, jobId, tenant }: ApprovalQuery) {
  const isInState =
    state === 'waiting'
      ? sql<boolean>`step.status = 'waiting_approval'`
      : sql<boolean>`step.kind = 'approval' and step.finished_at is not null and (step.approval is not null or step.status = 'failed')`;
  let query = db.selectFrom('steps as step').innerJoin('runs as run', 'run.id', 'step.run_id').where(isInState);
  if (state === 'waiting') query = query.where(isOfRun('run.status', 'running'));
  if (jobId !== undefined) query = query.where(isOfRun('run.job_id', jobId));
  return tenant === undefined ? query : query.where(isOfRun('run.tenant', tenant));
}

/** Hides the column from the planner, which would otherwise read all of the tenant's runs to find the few steps. */
function isOfRun(column: string, value: string) {
  return sql<boolean>`coalesce(${sql.ref(column)}, '') = ${value}`;
}

function inOrder(query: ReturnType<typeof approvalsOf>, state: ApprovalQuery['state']) {
  return state === 'waiting'
    ? query.orderBy('step.started_at').orderBy('step.run_id')
    : query.orderBy('step.finished_at', 'desc').orderBy('step.run_id', 'desc');
}

/** What the job file says about the approval: its text, and who may answer. */
function questionOf(row: { readonly plan: string; readonly step_id: string; readonly instance_of: string | null }) {
  const { steps } = readPlan(row.plan).job;
  const action = steps.find(({ id }) => id === (row.instance_of ?? row.step_id))?.action;
  return action?.kind === 'approval' ? action : undefined;
}
