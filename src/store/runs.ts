// Runs as everything else sees them: reading one, listing them, and what the dispatcher asks for. Adding
// and changing them is in run-add.ts and run-moves.ts.

import type { NotNull } from 'kysely';
import type { Progress, Run, RunMove, RunPlan, RunStatus, RunSummary } from '../domain/run.ts';
import type { Database, Transaction } from './database.ts';
import { prepareQuery } from './prepared-query.ts';
import { addRun, type NewRun } from './run-add.ts';
import { listRuns, type RunListQuery, type RunPage } from './run-list.ts';
import { moveRun, type RunChange, requestCancel, setProgress, setWaiting } from './run-moves.ts';
import { summaryColumns, toRun, toSummary } from './run-rows.ts';

export type { NewRun } from './run-add.ts';
export type { RunChange } from './run-moves.ts';

export type PendingRun = {
  readonly id: string;
  readonly jobId: string;
  readonly waiting: string | null;
  readonly createdAtMs: number;
  readonly queueMs: number | null;
};

export type RunStore = {
  /** The run, its first step, and run.created. */
  readonly add: (tx: Transaction, run: NewRun) => Promise<void>;
  /** False when the run had moved on. A run that never started announces its end alone, without its step's. */
  readonly move: (tx: Transaction, id: string, move: RunMove, change: RunChange) => Promise<boolean>;
  /** False when it was requested before, or the run has ended. */
  readonly requestCancel: (tx: Transaction, id: string, atMs: number) => Promise<boolean>;
  readonly setWaiting: (tx: Transaction, id: string, waiting: string | null) => Promise<void>;
  readonly setProgress: (tx: Transaction, id: string, progress: Progress) => Promise<void>;
  readonly get: (id: string) => Promise<Run | undefined>;
  readonly summary: (id: string) => Promise<RunSummary | undefined>;
  /** Grows with every change of what `get` answers. */
  readonly version: (id: string) => Promise<number | undefined>;
  /** @throws Problem validation-error for a cursor of another list */
  readonly list: (query: RunListQuery) => Promise<RunPage>;
  /** What executing a run takes. Never served. */
  readonly execution: (id: string) => Promise<{ run: Run; plan: RunPlan; sealed: string | null } | undefined>;
  /** Oldest first, those after run `afterId`. */
  readonly pending: (limit: number, afterId?: string) => Promise<readonly PendingRun[]>;
  /** Pending ones that have waited for longer than they may, some hundred at a time. */
  readonly overdue: (nowMs: number) => Promise<readonly { readonly id: string; readonly queueMs: number }[]>;
  readonly running: () => Promise<readonly string[]>;
  readonly counts: () => Promise<{ pending: number; running: number }>;
};

const mostOverdue = 500;

const selectRun = prepareQuery((db, { id }: { id: string }) => db.selectFrom('runs').selectAll().where('id', '=', id));
const selectVersion = prepareQuery((db, { id }: { id: string }) =>
  db.selectFrom('runs').select('version').where('id', '=', id),
);
const selectSteps = prepareQuery((db, { id }: { id: string }) =>
  db.selectFrom('steps').selectAll().where('run_id', '=', id).orderBy('step_id').orderBy('attempt'),
);
const countByStatus = prepareQuery((db, { status }: { status: RunStatus }) =>
  db
    .selectFrom('runs')
    .select((eb) => eb.fn.countAll().as('count'))
    .where('status', '=', status),
);

export function createRunStore(database: Database): RunStore {
  const { read } = database;

  async function get(id: string): Promise<Run | undefined> {
    // The run first: of one that has ended, the steps can only be as it left them.
    const [row] = await selectRun(read, { id });
    return row && toRun(row, await selectSteps(read, { id }));
  }

  return {
    add: addRun,
    move: moveRun,
    requestCancel,
    setWaiting,
    setProgress,
    get,

    async summary(id) {
      const row = await read.selectFrom('runs').select(summaryColumns).where('id', '=', id).executeTakeFirst();
      return row && toSummary(row);
    },

    async version(id) {
      const [row] = await selectVersion(read, { id });
      return row?.version;
    },

    list: (query) => listRuns(read, query),

    async execution(id) {
      const run = await get(id);
      const stored = await read
        .selectFrom('run_plans')
        .select(['plan', 'sealed'])
        .where('run_id', '=', id)
        .executeTakeFirst();
      return run && stored && { run, plan: JSON.parse(stored.plan), sealed: stored.sealed };
    },

    async pending(limit, afterId) {
      let query = read
        .selectFrom('runs')
        .select(['id', 'job_id as jobId', 'waiting', 'created_at as createdAtMs', 'queue_ms as queueMs'])
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
      return query.execute();
    },

    overdue: (nowMs) =>
      read
        .selectFrom('runs')
        .select(['id', 'queue_ms as queueMs'])
        .where('status', '=', 'pending')
        .where('queue_ms', 'is not', null)
        .where((eb) => eb(eb('created_at', '+', eb.ref('queue_ms')), '<=', nowMs))
        .limit(mostOverdue)
        .$narrowType<{ queueMs: NotNull }>()
        .execute(),

    async running() {
      const rows = await read.selectFrom('runs').select('id').where('status', '=', 'running').orderBy('id').execute();
      return rows.map((row) => row.id);
    },

    // Counted on the index: these are few, while the counters keep a row for every job that was ever pending.
    async counts() {
      const [pending] = await countByStatus(read, { status: 'pending' });
      const [running] = await countByStatus(read, { status: 'running' });
      return { pending: Number(pending?.count ?? 0), running: Number(running?.count ?? 0) };
    },
  };
}
