// Runs as everything else sees them: reading one, listing them, and what the dispatcher asks for. Adding
// and changing them is in run-add.ts and run-moves.ts.

import type { NotNull } from 'kysely';
import { type Reach, reaches } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import type { LastRun, Progress, Run, RunPlan, RunStatus, RunSummary, Step, Trigger } from '../../domain/run.ts';
import type { Database, Transaction } from '../database.ts';
import { prepareQuery } from '../prepared-query.ts';
import type { StepRow } from '../schema.ts';
import { readPlan } from './earlier-plans.ts';
import { lastRuns } from './last-runs.ts';
import { isFreeFor, takeRun } from './owners.ts';
import { addRun, type NewRun } from './run-add.ts';
import { applyBatch, endWithSteps, type RunBatch, type SealOutputs } from './run-batch.ts';
import { listRuns, type RunListQuery, type RunPage } from './run-list.ts';
import {
  claimRun,
  isHeld,
  type RunChange,
  type RunClaim,
  type RunEnd,
  requestCancel,
  setProgress,
  setWaiting,
} from './run-moves.ts';
import { summaryColumns, toRun, toStep, toSummaries } from './run-rows.ts';
import type { About } from './step-moves.ts';

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

export type StoredRun = {
  readonly run: Run;
  readonly plan: RunPlan;
  readonly sealed: string | null;
  readonly concurrency: NewRun['concurrency'];
  readonly deadlineAtMs: number | null;
  readonly owner: string | null;
  readonly epoch: number;
  /** All attempts, by place and attempt. */
  readonly attempts: readonly StepRow[];
};

export type RunStore = {
  /** The run, its steps, and run.created. */
  readonly add: (tx: Transaction, run: NewRun) => Promise<void>;
  /** Pending → running; its steps start on their own. False when it had moved on. */
  readonly claim: (tx: Transaction, id: string, claim: RunClaim) => Promise<boolean>;
  /** A running run is the owner's in the next epoch, and its attempts with it. False when another has it (ADR 0039). */
  readonly take: typeof takeRun;
  /** With it, steps that never had their turn are skipped. False when the run had moved on. */
  readonly end: (tx: Transaction, id: string, move: RunEnd, change: RunChange) => Promise<boolean>;
  readonly apply: (tx: Transaction, about: About, batch: RunBatch, seal: SealOutputs) => Promise<void>;
  /** False when it was requested before, or the run has ended. */
  readonly requestCancel: (tx: Transaction, id: string, atMs: number) => Promise<boolean>;
  readonly setWaiting: (tx: Transaction, id: string, waiting: string | null) => Promise<void>;
  readonly isHeld: (tx: Transaction, id: string, epoch: number) => Promise<boolean>;
  readonly setProgress: (tx: Transaction, id: string, progress: Progress, epoch: number) => Promise<void>;
  readonly get: (id: string) => Promise<Run | undefined>;
  readonly summary: (id: string) => Promise<RunSummary | undefined>;
  /** Every attempt of its steps, by step and attempt. */
  readonly attempts: (id: string) => Promise<readonly Step[]>;
  /**
   * What is another tenant's is not there. `version` grows with every change of what `get` answers.
   * @throws Problem run-not-found
   */
  readonly assertThere: (id: string, reach: Reach) => Promise<{ readonly version: number; readonly tenant: string }>;
  /** @throws Problem validation-error for a cursor of another list */
  readonly list: (query: RunListQuery) => Promise<RunPage>;
  /** Of each job the newest, newest first; of a tenant, or of all. */
  readonly last: (query: {
    readonly jobIds: readonly string[];
    readonly most: number;
    readonly tenant?: string;
  }) => Promise<ReadonlyMap<string, readonly LastRun[]>>;
  /** While it is the same, so is every run and every list (ADR 0025). */
  readonly generation: Database['generation'];
  /** What executing a run takes. Never served. */
  readonly execution: (id: string) => Promise<StoredRun | undefined>;
  /** The same without what it was planned to be, which may be past reading. */
  readonly remains: (id: string) => Promise<Pick<StoredRun, 'run' | 'attempts' | 'owner' | 'epoch'> | undefined>;
  /** Oldest first, those after run `afterId`. */
  readonly pending: (limit: number, afterId?: string) => Promise<readonly PendingRun[]>;
  /** Pending ones that have waited for longer than they may, some hundred at a time. */
  readonly overdue: (nowMs: number) => Promise<readonly { readonly id: string; readonly queueMs: number }[]>;
  /** Running ones whose own time, or that of an attempt of theirs, is over. */
  readonly pastDeadline: (nowMs: number) => Promise<readonly string[]>;
  /** The next deadline of a run or an attempt after `nowMs`. */
  readonly nextDeadline: (nowMs: number) => Promise<number | null>;
  /** Of runs that wait or are the owner's, and of their steps: the wall clock was set by so much. */
  readonly moveDeadlines: (tx: Transaction, byMs: number, owner: string) => Promise<void>;
  /** Those of this status that are to be cancelled. */
  readonly cancelling: (status: 'pending' | 'running') => Promise<readonly string[]>;
  /** Running ones that this owner may drive: its own, and those of owners without a lease. */
  readonly running: (owner: string) => Promise<readonly string[]>;
  /** Of a tenant, or of all. */
  readonly counts: (tenant?: string) => Promise<{ pending: number; running: number }>;
};

const mostOverdue = 500;

const selectRun = prepareQuery((db, { id }: { id: string }) => db.selectFrom('runs').selectAll().where('id', '=', id));
const selectVersion = prepareQuery((db, { id }: { id: string }) =>
  db.selectFrom('runs').select(['version', 'tenant']).where('id', '=', id),
);
const selectSteps = prepareQuery((db, { id }: { id: string }) =>
  db.selectFrom('steps').selectAll().where('run_id', '=', id).orderBy('n').orderBy('attempt'),
);
const selectPlan = prepareQuery((db, { id }: { id: string }) =>
  db.selectFrom('run_plans').select(['plan', 'sealed']).where('run_id', '=', id),
);
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

/** The same words for one that never was and for another tenant's. */
export function runNotFound(id: string): Problem {
  return new Problem('run-not-found', `The run '${id}' does not exist`);
}

export function createRunStore(database: Database): RunStore {
  const { read } = database;

  async function get(id: string): Promise<Run | undefined> {
    // The run first: of one that has ended, the steps can only be as it left them.
    const [row] = await selectRun(read, { id });
    return row && toRun(row, await selectSteps(read, { id }));
  }

  return {
    add: addRun,
    claim: claimRun,
    take: takeRun,
    end: endWithSteps,
    apply: applyBatch,
    requestCancel,
    setWaiting,
    isHeld,
    setProgress,
    get,

    async summary(id) {
      const row = await read.selectFrom('runs').select(summaryColumns).where('id', '=', id).executeTakeFirst();
      const [summary] = await toSummaries(read, row ? [row] : []);
      return summary;
    },

    async assertThere(id, reach) {
      const [row] = await selectVersion(read, { id });
      if (!row || !reaches(reach, row.tenant)) throw runNotFound(id);
      return row;
    },

    list: (query) => listRuns(read, query),
    last: (query) => lastRuns(read, query),

    generation: database.generation,

    async remains(id) {
      const [row] = await selectRun(read, { id });
      const attempts = await selectSteps(read, { id });
      return row && { run: toRun(row, attempts), owner: row.owner, epoch: row.epoch, attempts };
    },

    async attempts(id) {
      return (await selectSteps(read, { id })).map(toStep);
    },

    async execution(id) {
      const [row] = await selectRun(read, { id });
      const [stored] = await selectPlan(read, { id });
      if (!row || !stored) return undefined;
      const attempts = await selectSteps(read, { id });
      return {
        run: toRun(row, attempts),
        plan: readPlan(stored.plan),
        sealed: stored.sealed,
        concurrency: { limit: row.concurrency_limit, key: row.concurrency_key },
        deadlineAtMs: row.status === 'pending' ? null : row.deadline_at,
        owner: row.owner,
        epoch: row.epoch,
        attempts,
      };
    },

    async pending(limit, afterId) {
      let query = read
        .selectFrom('runs')
        .select([
          'id',
          'job_id as jobId',
          'tenant',
          'priority',
          'trigger',
          'waiting',
          'created_at as createdAtMs',
          'concurrency_limit',
          'concurrency_key',
        ])
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
    },

    overdue: (nowMs) =>
      read
        .selectFrom('runs')
        .select(['id', 'queue_ms as queueMs'])
        .where('status', '=', 'pending')
        .where('queue_ms', 'is not', null)
        .where('deadline_at', '<=', nowMs)
        .where('deadline_at', 'is not', null)
        .where('finished_at', 'is', null)
        .limit(mostOverdue)
        .$narrowType<{ queueMs: NotNull }>()
        .execute(),

    async pastDeadline(nowMs) {
      const runs = read
        .selectFrom('runs')
        .select('id')
        .where('deadline_at', '<=', nowMs)
        .where('deadline_at', 'is not', null)
        .where('finished_at', 'is', null)
        .where('status', '=', 'running')
        .limit(mostOverdue);
      const steps = read
        .selectFrom('steps')
        .select('run_id as id')
        .where('deadline_at', '<=', nowMs)
        .where('deadline_at', 'is not', null)
        .where('finished_at', 'is', null)
        .limit(mostOverdue);
      const found = [...(await runs.execute()), ...(await steps.execute())];
      return [...new Set(found.map(({ id }) => id))];
    },

    async nextDeadline(nowMs) {
      const ofTable = (table: 'runs' | 'steps') =>
        read
          .selectFrom(table)
          .select((eb) => eb.fn.min<number | null>('deadline_at').as('at'))
          .where('deadline_at', '>', nowMs)
          .where('deadline_at', 'is not', null)
          .where('finished_at', 'is', null)
          .executeTakeFirstOrThrow();
      const found = [(await ofTable('runs')).at, (await ofTable('steps')).at].filter((at) => at !== null);
      return found.length === 0 ? null : Math.min(...found);
    },

    moveDeadlines,

    async cancelling(status) {
      const rows = await read
        .selectFrom('runs')
        .select('id')
        .where('status', '=', status)
        .where('cancel_requested_at', 'is not', null)
        .execute();
      return rows.map((row) => row.id);
    },

    async running(owner) {
      const rows = await read
        .selectFrom('runs')
        .select('id')
        .where('status', '=', 'running')
        .where((eb) => isFreeFor(eb, owner))
        .orderBy('id')
        .execute();
      return rows.map((row) => row.id);
    },

    // Counted on the index: these are few, while the counters keep a row for every job that was ever pending.
    async counts(tenant) {
      const count = async (status: RunStatus): Promise<number> => {
        const ofTenant = tenant === undefined ? undefined : { status, tenant };
        const [row] = await (ofTenant ? countOfTenant(read, ofTenant) : countByStatus(read, { status }));
        return Number(row?.count ?? 0);
      };
      return { pending: await count('pending'), running: await count('running') };
    },
  };
}

async function moveDeadlines(tx: Transaction, byMs: number, owner: string): Promise<void> {
  await tx.db
    .updateTable('runs')
    .set((eb) => ({ deadline_at: eb('deadline_at', '+', byMs) }))
    .where('deadline_at', 'is not', null)
    .where('finished_at', 'is', null)
    .where((eb) => isFreeFor(eb, owner))
    .execute();
  await tx.db
    .updateTable('steps')
    .set((eb) => ({ deadline_at: eb('deadline_at', '+', byMs), not_before: eb('not_before', '+', byMs) }))
    .where('finished_at', 'is', null)
    .where('run_id', 'in', (eb) =>
      eb
        .selectFrom('runs')
        .select('id')
        .where('status', '=', 'running')
        .where((runs) => isFreeFor(runs, owner)),
    )
    .execute();
}
