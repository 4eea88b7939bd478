// Finds rows that are old enough to be removed, and removes them, a few hundred at a time. The engine decides what is
// kept, and in which order things are removed (ADR 0013).

import { outputTypes } from '../domain/event.ts';
import type { JobDefinition } from '../domain/job.ts';
import type { RunStatus } from '../domain/run.ts';
import type { Database, Transaction } from './database.ts';
import { countRows } from './query-parts.ts';
import { uncountEndedRuns } from './run/ended-counts.ts';
import { uncountRuns } from './run/run-counts.ts';
import type { RunDetails } from './run/run-rows.ts';

type UnfinishedRun = {
  readonly id: string;
  readonly parentId: string | null;
  readonly revision: string;
  /** The newest event that announced output of the run; null if no output was announced. */
  readonly lastOutputId: number | null;
};

export type OldRun = { readonly id: string; readonly endedAtMs: number; readonly parentId: string | null };

export type RetentionStore = ReturnType<typeof createRetentionStore>;

const unfinishedRuns = 200;
const ended: readonly RunStatus[] = ['success', 'failed', 'cancelled'];

export function createRetentionStore(database: Database) {
  return {
    ...createOldEvents(database),
    ...createOldLogs(database),
    ...createOldRuns(database),
    ...createOldAnswers(database),
    /** Returns what a retention pass would remove now. */
    async preview(o: {
      readonly runsBeforeMs: number;
      readonly logsBeforeMs: number;
    }): Promise<{ runs: number; logs: number; logBytes: number }> {
      const { runsBeforeMs, logsBeforeMs } = o;
      const ended = database.read.selectFrom('runs').where('finished_at', 'is not', null);
      const runs = await countRows(ended.where('finished_at', '<', runsBeforeMs));
      const logs = await database.read
        .selectFrom('log_segments')
        .innerJoin('runs', 'runs.id', 'log_segments.run_id')
        .select((eb) => [
          eb.fn.count('log_segments.run_id').distinct().as('logs'),
          eb.fn.sum<number | string | null>('stored_bytes').as('bytes'),
        ])
        .where('log_segments.last_at_us', '<', logsBeforeMs * 1000)
        .where('runs.finished_at', '<', logsBeforeMs)
        .executeTakeFirstOrThrow();
      return { runs, logs: Number(logs.logs), logBytes: Number(logs.bytes ?? 0) };
    },
  };
}

function createOldEvents({ read, transact }: Database) {
  return {
    /**
     * Reads the `limit` oldest events except `spared`, and deletes those from before `beforeMs`.
     * @returns how many were deleted
     */
    async removeEvents(beforeMs: number, spared: readonly number[], limit: number): Promise<number> {
      const rows = await read
        .selectFrom('events')
        .select(['id', 'at', 'count'])
        .$if(spared.length > 0, (query) => query.where('id', 'not in', spared))
        // Events that have not been checked for notifications are kept.
        .where('id', '<', (eb) =>
          eb.fn.coalesce(
            eb.selectFrom('sequences').select('next_id').where('name', '=', 'notices').$asScalar().$notNull(),
            eb.val(Number.MAX_SAFE_INTEGER),
          ),
        )
        .orderBy('id')
        .limit(limit)
        .execute();
      const firstKept = rows.findIndex(({ at }) => at >= beforeMs);
      const old = firstKept < 0 ? rows : rows.slice(0, firstKept);
      const last = old.at(-1);
      if (!last) return 0;
      await transact(async (tx) => {
        const ids = old.map(({ id }) => id);
        await tx.db.deleteFrom('events').where('id', 'in', ids).execute();
        await raiseKept(tx, last.id + last.count);
      });
      return old.length;
    },

    async countEvents(beforeMs: number): Promise<number> {
      const first = await read
        .selectFrom('events')
        .select('id')
        .where('at', '>=', beforeMs)
        .orderBy('id')
        .limit(1)
        .executeTakeFirst();
      return countRows(read.selectFrom('events').where('id', '<', first?.id ?? Number.MAX_SAFE_INTEGER));
    },
  };
}

function createOldLogs({ read, transact }: Database) {
  return {
    /** Returns runs that ended before `beforeMs` and have a log, except `spared`. */
    async oldLogs(beforeMs: number, spared: readonly string[], limit: number): Promise<readonly string[]> {
      const rows = await read
        .selectFrom('log_segments')
        .innerJoin('runs', 'runs.id', 'log_segments.run_id')
        .select('log_segments.run_id')
        .where('log_segments.last_at_us', '<', beforeMs * 1000)
        .where('runs.finished_at', '<', beforeMs)
        .$if(spared.length > 0, (query) => query.where('log_segments.run_id', 'not in', spared))
        .orderBy('log_segments.last_at_us')
        .limit(limit)
        .execute();
      return [...new Set(rows.map((row) => row.run_id))];
    },

    /** Deletes the rows of logs whose files have been removed. */
    async forgetLogs(runIds: readonly string[], atMs: number): Promise<void> {
      if (runIds.length === 0) return;
      await transact(async (tx) => {
        await tx.db.deleteFrom('log_segments').where('run_id', 'in', runIds).execute();
        await tx.db
          .insertInto('expired_logs')
          .values(runIds.map((run_id) => ({ run_id, at: atMs })))
          .onConflict((conflict) => conflict.doNothing())
          .execute();
      });
    },
  };
}

function createOldRuns({ read, transact }: Database) {
  return {
    /** Yields the runs that have not ended, a few hundred at a time. */
    unfinished: (): AsyncGenerator<readonly UnfinishedRun[]> => unfinished(read),

    /** Returns the runs that ended before `beforeMs`, in the order of their ends. Begins after `after`. */
    async oldRuns(
      beforeMs: number,
      after: Pick<OldRun, 'id' | 'endedAtMs'> | undefined,
      limit: number,
    ): Promise<readonly OldRun[]> {
      let query = read
        .selectFrom('runs')
        .select(['id', 'finished_at', 'details'])
        .where('finished_at', 'is not', null)
        .where('finished_at', '<', beforeMs)
        .orderBy('finished_at')
        .orderBy('id')
        .limit(limit);
      if (after) {
        query = query.where((eb) => eb(eb.refTuple('finished_at', 'id'), '>', eb.tuple(after.endedAtMs, after.id)));
      }
      return (await query.execute()).map(({ id, finished_at: endedAtMs, details }) => {
        const { parent }: RunDetails = JSON.parse(details);
        return { id, endedAtMs: endedAtMs ?? 0, parentId: parent?.run_id ?? null };
      });
    },

    async hasEnded(runId: string): Promise<boolean> {
      const run = await read.selectFrom('runs').select('status').where('id', '=', runId).executeTakeFirst();
      return run === undefined || ended.includes(run.status);
    },

    async artifactsOf(runIds: readonly string[]): Promise<readonly { id: string; sizeBytes: number }[]> {
      if (runIds.length === 0) return [];
      return read
        .selectFrom('artifacts')
        .select(['id', 'size_bytes as sizeBytes'])
        .where('run_id', 'in', runIds)
        .execute();
    },

    /** Deletes ended runs and all that belongs to them. Delete their events first. @returns how many runs */
    async removeRuns(runIds: readonly string[]): Promise<number> {
      if (runIds.length === 0) return 0;
      return transact(async (tx) => {
        // This also deletes their plans, labels and steps.
        const gone = await tx.db
          .deleteFrom('runs')
          .where('id', 'in', runIds)
          .where('status', 'in', ended)
          .returning(['id', 'status', 'tenant', 'job_id', 'source', 'created_at', 'trigger', 'labels'])
          .execute();
        const ids = gone.map(({ id }) => id);
        if (ids.length === 0) return 0;
        await uncountRuns(tx.db, gone);
        await uncountEndedRuns(tx.db, gone);
        await tx.db.deleteFrom('log_segments').where('run_id', 'in', ids).execute();
        await removeArtifacts(tx, ids);
        return ids.length;
      });
    },

    /** Returns the facts that decide whether a run's folder is kept; undefined if the run does not exist. */
    async folderOf(
      runId: string,
    ): Promise<{ endedAtMs: number | null; hasSteps: boolean; revision: string } | undefined> {
      const row = await read
        .selectFrom('runs')
        .innerJoin('run_plans', 'run_plans.run_id', 'runs.id')
        .select(['runs.finished_at', 'run_plans.plan'])
        .where('runs.id', '=', runId)
        .executeTakeFirst();
      if (!row) return undefined;
      const plan: { job: Pick<JobDefinition, 'composition'>; revision: string } = JSON.parse(row.plan);
      return { endedAtMs: row.finished_at, hasSteps: plan.job.composition === 'steps', revision: plan.revision };
    },
  };
}

function createOldAnswers({ read, transact }: Database) {
  return {
    /**
     * Deletes answers that were stored under an Idempotency-Key before `beforeMs`.
     * @returns how many
     */
    async removeAnswers(beforeMs: number, limit: number): Promise<number> {
      const old = await read
        .selectFrom('idempotency')
        .select(['tenant', 'key'])
        .where('created_at', '<', beforeMs)
        .orderBy('created_at')
        .limit(limit)
        .execute();
      if (old.length === 0) return 0;
      await transact(async (tx) => {
        for (const { tenant, key } of old) {
          await tx.db
            .deleteFrom('idempotency')
            .where((eb) => eb.and({ tenant, key }))
            .where('created_at', '<', beforeMs)
            .execute();
        }
      });
      return old.length;
    },
  };
}

/** Reads the pending runs first. So a run that is claimed in the meantime is still found, among the running ones. */
async function* unfinished(read: Database['read']): AsyncGenerator<readonly UnfinishedRun[]> {
  for (const status of ['pending', 'running'] as const) {
    let last: { readonly created_at: number; readonly id: string } | undefined;
    do {
      const rows = await unfinishedPage(read, status, last);
      last = rows.at(-1);
      yield rows.map(({ id, details, last_output_id: lastOutputId }) => {
        const { parent, source }: RunDetails = JSON.parse(details);
        return { id, parentId: parent?.run_id ?? null, revision: source.revision, lastOutputId };
      });
    } while (last);
  }
}

function unfinishedPage(
  read: Database['read'],
  status: 'pending' | 'running',
  after: { readonly created_at: number; readonly id: string } | undefined,
) {
  let query = read
    .selectFrom('runs')
    .select((eb) => [
      'id',
      'created_at',
      'details',
      eb
        .selectFrom('events')
        .select('events.id')
        .whereRef('events.run_id', '=', 'runs.id')
        .where('type', 'in', outputTypes)
        .orderBy('events.id', 'desc')
        .limit(1)
        .as('last_output_id'),
    ])
    .where('status', '=', status)
    .orderBy('created_at')
    .orderBy('id')
    .limit(unfinishedRuns);
  if (after)
    query = query.where((eb) => eb(eb.refTuple('created_at', 'id'), '>', eb.tuple(after.created_at, after.id)));
  return query.execute();
}

async function raiseKept(tx: Transaction, firstId: number): Promise<void> {
  await tx.db
    .insertInto('sequences')
    .values({ name: 'events.kept', next_id: firstId })
    .onConflict((conflict) =>
      conflict.column('name').doUpdateSet({ next_id: firstId }).where('sequences.next_id', '<', firstId),
    )
    .execute();
}

async function removeArtifacts(tx: Transaction, runIds: readonly string[]): Promise<void> {
  const gone = await tx.db
    .deleteFrom('artifacts')
    .where('run_id', 'in', runIds)
    .returning(['tenant', 'job_id', 'size_bytes'])
    .execute();
  for (const files of Map.groupBy(gone, ({ tenant, job_id }) => `${tenant} ${job_id}`).values()) {
    const [one] = files;
    if (!one) continue;
    const sizeBytes = files.reduce((sum, file) => sum + file.size_bytes, 0);
    await tx.db
      .updateTable('artifact_counts')
      .set((eb) => ({ count: eb('count', '-', files.length), size_bytes: eb('size_bytes', '-', sizeBytes) }))
      .where('tenant', '=', one.tenant)
      .where('job_id', '=', one.job_id)
      .execute();
  }
}
