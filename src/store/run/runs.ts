// The run store. It reads single runs, and the runs that the queue and the reaper ask for. Other modules of this folder
// add runs (run-add.ts), change them (run-moves.ts) and list them (run-list.ts).

import type { Kysely } from 'kysely';
import type { JobDefinition } from '../../domain/job.ts';
import type { JobTimes } from '../../domain/job-times.ts';
import { type Reach, reaches } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import type { ChildRun, LastRun, Run, RunPlan, RunStatus, RunSummary, Step, Trigger } from '../../domain/run.ts';
import type { Database } from '../database.ts';
import { prepareQuery } from '../prepared-query.ts';
import { countRows, given } from '../query-parts.ts';
import type { Schema, StepRow } from '../schema.ts';
import { type ApprovalPage, type ApprovalQuery, listApprovals } from './approvals.ts';
import { readPlan } from './earlier-plans.ts';
import { type JobTimesQuery, jobTimes } from './job-times.ts';
import { type LastRunsQuery, lastRuns, type RevisionsQuery, type UsedRevision, usedRevisions } from './last-runs.ts';
import { isFreeFor, takeRun } from './owners.ts';
import { type JobOfTenant, recentWork } from './recent-work.ts';
import { addRun, type NewRun } from './run-add.ts';
import { applyBatch, endWithSteps } from './run-batch.ts';
import { sumRunCounts } from './run-counts.ts';
import { moveDeadlines, nextDeadline, overdueRuns, runsPastDeadline } from './run-deadlines.ts';
import type { RunFilter } from './run-filter.ts';
import { listRuns, type RunListQuery, type RunPage } from './run-list.ts';
import { claimRun, isHeld, requestCancel, setProgress, setWaiting } from './run-moves.ts';
import {
  listedArgs,
  type RunDetails,
  selectSummaries,
  summaryColumns,
  toRun,
  toStep,
  toSummaries,
} from './run-rows.ts';

export type { NewRun } from './run-add.ts';
export type { RunChange } from './run-moves.ts';

export type PendingRun = {
  readonly id: string;
  readonly jobId: string;
  readonly tenant: string;
  readonly priority: number;
  readonly trigger: Trigger['type'];
  readonly waiting: string | null;
  readonly createdAtMs: number;
  readonly concurrency: NewRun['concurrency'];
};

/** Everything that a controller needs to execute a run. It is never sent to clients. */
export type StoredRun = {
  readonly run: Run;
  readonly plan: RunPlan;
  readonly sealed: string | null;
  readonly concurrency: NewRun['concurrency'];
  readonly deadlineAtMs: number | null;
  readonly owner: string | null;
  readonly epoch: number;
  /** All attempts of all steps, ordered by step and attempt. */
  readonly attempts: readonly StepRow[];
};

type CountedRuns = Pick<RunFilter, 'tenant' | 'jobId' | 'jobIds'>;

export type RunStore = ReturnType<typeof createRunStore>;

const selectRun = prepareQuery((db, { id }: { id: string }) => db.selectFrom('runs').selectAll().where('id', '=', id));
const selectVersion = prepareQuery((db, { id }: { id: string }) =>
  db.selectFrom('runs').select(['version', 'tenant', 'job_id as jobId']).where('id', '=', id),
);
const selectSteps = prepareQuery((db, { id }: { id: string }) =>
  db.selectFrom('steps').selectAll().where('run_id', '=', id).orderBy('n').orderBy('attempt'),
);
const selectPlan = prepareQuery((db, { id }: { id: string }) =>
  db.selectFrom('run_plans').select(['plan', 'sealed']).where('run_id', '=', id),
);

async function planOf(db: Kysely<Schema>, id: string): Promise<RunPlan | undefined> {
  const [stored] = await selectPlan(db, { id });
  return stored && readPlan(stored.plan);
}

async function lastJobOf(db: Kysely<Schema>, { tenant, jobId }: JobOfTenant): Promise<JobDefinition | undefined> {
  const newest = await db
    .selectFrom('runs')
    .select('id')
    .where('tenant', '=', tenant)
    .where('job_id', '=', jobId)
    .orderBy('created_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  return newest && (await planOf(db, newest.id))?.job;
}

const countByStatus = prepareQuery((db, { status }: { status: RunStatus }) =>
  db
    .selectFrom('runs')
    .select((eb) => eb.fn.countAll().as('count'))
    .where('status', '=', status),
);
const countOfTenant = prepareQuery((db, { status, tenant }: { status: RunStatus; tenant: string }) =>
  db
    .selectFrom('runs')
    .select((eb) => eb.fn.countAll().as('count'))
    .where('status', '=', status)
    .where('tenant', '=', tenant),
);

/** A caller who may not see a run gets the same problem as for a run that does not exist. */
export function runNotFound(id: string): Problem {
  return new Problem('run-not-found', `The run '${id}' does not exist`);
}

/** The functions that change runs. */
const changes = {
  /** Adds the run and its steps, and emits run.created. With a claim, the run is running from the start. */
  add: addRun,
  /** Changes a pending run to running, but does not start its steps. Returns false if the run was not pending. */
  claim: claimRun,
  /**
   * Takes over a running run and its attempts, and begins their next epoch (ADR 0039). Returns false if another owner
   * drives the run.
   */
  take: takeRun,
  /** Ends the run and skips the steps that have not started. Returns false if the run has already ended. */
  end: endWithSteps,
  /**
   * Applies all changes that follow from one event of the run.
   * @throws Superseded if another process has taken the run over
   */
  apply: applyBatch,
  /**
   * Requests the cancellation of a run. Returns false if the run has ended, or its cancellation was already requested.
   */
  requestCancel,
  setWaiting,
  isHeld,
  setProgress,
};

export function createRunStore(database: Database) {
  const { read } = database;

  async function withAttempts(id: string) {
    const [row] = await selectRun(read, { id });
    const attempts = await selectSteps(read, { id });
    return row && { row, run: toRun(row, attempts), owner: row.owner, epoch: row.epoch, attempts };
  }

  return {
    ...changes,
    ...createLists(database),
    ...createUnended(read),

    async get(id: string): Promise<Run | undefined> {
      // Reads the run before its steps. If the run has ended, its steps cannot change any more, so both fit together.
      const [row] = await selectRun(read, { id });
      return row && toRun(row, await selectSteps(read, { id }));
    },

    summary: async (id: string): Promise<RunSummary | undefined> => {
      const row = await selectSummaries(read).where('id', '=', id).executeTakeFirst();
      const [summary] = await toSummaries(read, row ? [row] : []);
      return summary;
    },

    /** Returns all attempts of the run's steps, ordered by step and attempt. */
    attempts: async (id: string): Promise<readonly Step[]> => (await selectSteps(read, { id })).map(toStep),
    /** Returns the runs that the run's steps have started, oldest first. */
    children: (id: string): Promise<readonly ChildRun[]> => childRuns(read, id),

    /**
     * Returns the tenant, the job and the version of a run. The version grows with every change of what `get` returns.
     * @throws Problem run-not-found, also if the caller may not see the run
     */
    assertThere: async (
      id: string,
      reach: Reach,
    ): Promise<{ readonly version: number; readonly tenant: string; readonly jobId: string }> => {
      const [row] = await selectVersion(read, { id });
      if (!row || !reaches(reach, row)) throw runNotFound(id);
      return row;
    },

    /** Whether jobs of this source have runs. */
    haveSource: async (source: string): Promise<boolean> => (await sumRunCounts(read, { source })) > 0,
    /** Returns the title that the job had when the run was created. */
    titleOf: async (id: string): Promise<string | null> => (await planOf(read, id))?.job.title ?? null,
    /** Returns the job as it was when the run was created. */
    jobOf: async (id: string): Promise<JobDefinition | undefined> => (await planOf(read, id))?.job,
    /** Returns the job as its newest run has it; undefined if it has no run in the tenant. */
    lastJob: (of: JobOfTenant) => lastJobOf(read, of),
    /** Whether the job's source was untrusted when the run was created. */
    wasUntrusted: async (id: string): Promise<boolean> => (await planOf(read, id))?.untrustedSource !== undefined,

    async execution(id: string): Promise<StoredRun | undefined> {
      const [stored] = await selectPlan(read, { id });
      const found = stored && (await withAttempts(id));
      if (!found) return undefined;
      const { row, ...rest } = found;
      return {
        ...rest,
        plan: readPlan(stored.plan),
        sealed: stored.sealed,
        concurrency: { limit: row.concurrency_limit, key: row.concurrency_key },
        deadlineAtMs: row.status === 'pending' ? null : row.deadline_at,
      };
    },

    /** Does the same as `execution`, but does not read the plan. So it works even if the plan cannot be read. */
    withAttempts,
  };
}

function createLists({ read, generation }: Database) {
  return {
    /** @throws Problem validation-error for a malformed cursor */
    list: (query: RunListQuery): Promise<RunPage> => listRuns(read, query),
    /**
     * Lists approvals. If they are waiting, the one that has waited longest comes first. If they have ended, the newest
     * comes first. Without a tenant, the approvals of all tenants count.
     */
    approvals: (query: ApprovalQuery): Promise<ApprovalPage> => listApprovals(read, query),
    /** Returns the newest `most` runs of each job, newest first. Without a tenant, the runs of all tenants count. */
    last: (query: LastRunsQuery): Promise<ReadonlyMap<string, readonly LastRun[]>> => lastRuns(read, query),
    /**
     * Returns the revisions that the newest `most` runs of the job used, newest first. Without a tenant, the runs of
     * all tenants count.
     */
    usedRevisions: (query: RevisionsQuery): Promise<readonly UsedRevision[]> => usedRevisions(read, query),
    times: (query: JobTimesQuery): Promise<JobTimes> => jobTimes(read, query),
    /** Returns how long the last successful runs of the job worked, in milliseconds, the shortest first. */
    recentWork: (of: JobOfTenant): Promise<readonly number[]> => recentWork(read, of),
    /** While this value stays the same, every run and every list stays the same (ADR 0025). */
    generation,
  };
}

/** Reads runs that have not ended. */
function createUnended(read: Kysely<Schema>) {
  return {
    /** Returns the pending runs, oldest first. With `afterId`, only the runs after this one. */
    pending: (limit: number, afterId?: string): Promise<readonly PendingRun[]> => pendingRuns(read, limit, afterId),
    /** Returns pending runs that have waited in the queue for too long, a few hundred at most. */
    overdue: (nowMs: number): ReturnType<typeof overdueRuns> => overdueRuns(read, nowMs),
    pastDeadline: (nowMs: number): Promise<readonly string[]> => runsPastDeadline(read, nowMs),
    nextDeadline: (nowMs: number): Promise<number | null> => nextDeadline(read, nowMs),
    moveDeadlines,

    /** Returns the runs in this status whose cancellation was requested. */
    cancelling: (status: 'pending' | 'running'): Promise<readonly string[]> =>
      idsOf(withStatus(read, status).where('cancel_requested_at', 'is not', null)),
    /** Returns the running runs that this owner may drive: its own, and those whose owner has no lease. */
    running: (owner: string): Promise<readonly string[]> => idsOf(drivenBy(read, owner)),

    /** Counts the runs. Without a tenant, the runs of all tenants count. */
    counts: (of: CountedRuns = {}): Promise<{ pending: number; running: number }> => countUnended(read, of),
  };
}

function withStatus(read: Kysely<Schema>, status: RunStatus) {
  return read.selectFrom('runs').select('id').where('status', '=', status);
}

function drivenBy(read: Kysely<Schema>, owner: string) {
  return withStatus(read, 'running')
    .where((eb) => isFreeFor(eb, owner))
    .orderBy('id');
}

async function idsOf(query: ReturnType<typeof withStatus>): Promise<readonly string[]> {
  return (await query.execute()).map(({ id }) => id);
}

async function pendingRuns(read: Kysely<Schema>, limit: number, afterId?: string): Promise<readonly PendingRun[]> {
  let query = read
    .selectFrom('runs')
    .select(['id', 'job_id as jobId', 'tenant', 'priority', 'trigger', 'waiting', 'created_at as createdAtMs'])
    .select(['concurrency_limit', 'concurrency_key'])
    .where('status', '=', 'pending')
    .orderBy('created_at')
    .orderBy('id')
    .limit(limit);
  if (afterId !== undefined) {
    query = query.where((eb) =>
      eb(
        eb.refTuple('created_at', 'id'),
        '>',
        eb.selectFrom('runs').select(['created_at', 'id']).where('id', '=', afterId).$asTuple('created_at', 'id'),
      ),
    );
  }
  const rows = await query.execute();
  return rows.map(({ concurrency_limit: limit, concurrency_key: key, ...row }) => ({
    ...row,
    concurrency: { limit, key },
  }));
}

async function countUnended(read: Kysely<Schema>, of: CountedRuns) {
  return { pending: await countRuns(read, 'pending', of), running: await countRuns(read, 'running', of) };
}

/**
 * Counts runs with an index, and does not sum counters. Few runs are pending or running, but there is a counter for
 * every job that ever had such a run.
 */
async function countRuns(
  read: Kysely<Schema>,
  status: RunStatus,
  { tenant, jobId, jobIds }: CountedRuns,
): Promise<number> {
  if (jobId !== undefined || jobIds !== undefined) {
    const runs = withStatus(read, status).where((eb) => eb.and(given({ tenant, job_id: jobId })));
    return countRows((jobIds === undefined ? runs : runs.where('job_id', 'in', jobIds)).clearSelect());
  }
  const [row] = await (tenant === undefined
    ? countByStatus(read, { status })
    : countOfTenant(read, { status, tenant }));
  return Number(row?.count ?? 0);
}

/** Finds sub-runs through the steps that name them, because there is no index of runs by their parent. */
const selectChildren = prepareQuery((db, { id }: { id: string }) =>
  db
    .selectFrom('steps')
    .innerJoin('runs', 'runs.id', 'steps.child_run_id')
    .select(summaryColumns.map((column) => `runs.${column}` as const))
    .select(['runs.details', listedArgs])
    .where('steps.run_id', '=', id)
    .orderBy('runs.created_at')
    .orderBy('runs.id'),
);

async function childRuns(db: Kysely<Schema>, id: string): Promise<ChildRun[]> {
  const rows = await selectChildren(db, { id });
  const summaries = await toSummaries(db, rows);
  return summaries.flatMap((summary, at) => {
    const { parent }: RunDetails = JSON.parse(rows[at]?.details ?? '{}');
    return parent ? [{ ...summary, parent }] : [];
  });
}
