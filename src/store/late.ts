// Stores which runs and successes are late, which jobs are expected to succeed, and since when.

import type { Late } from '../domain/outcome/late.ts';
import type { Database, Transaction } from './database.ts';
import type { LateRow } from './schema.ts';

export type LateQuery = {
  readonly limit: number;
  readonly tenant?: string | undefined;
  readonly jobId?: string | undefined;
  /** Returns only entries that have not ended. */
  readonly isOpen?: boolean | undefined;
};

export type ExpectingJob = { readonly jobId: string; readonly terms: string; readonly sinceMs: number };

export type NewLate = Omit<Late, 'overAtMs'>;
type JobOfTenant = Pick<Late, 'tenant' | 'jobId'>;

export type LateStore = ReturnType<typeof createLateStore>;

/** How many of the newest entries are read to find when a receiver was last notified. */
const mostTold = 50;
/** `hasSuccess` checks only runs that were created in the time span, or up to this long before it. */
const longestRunMs = 3 * 86_400_000;

export function createLateStore(database: Database) {
  const { read } = database;
  const select = () => read.selectFrom('late').selectAll();
  return {
    /** Adds an entry. Returns false if the entry exists already. */
    async add(tx: Transaction, late: NewLate): Promise<boolean> {
      const row = await tx.db
        .insertInto('late')
        .values(toRow(late))
        .onConflict((conflict) => conflict.columns(['tenant', 'job_id', 'kind', 'key']).doNothing())
        .returning('at')
        .executeTakeFirst();
      return row !== undefined;
    },
    /** If the entry has ended, opens it again with the new time and detail. Nobody is notified again. */
    async reopen(tx: Transaction, late: NewLate): Promise<void> {
      const { atMs: at, detail } = late;
      await rowOf(tx, late).set({ at, detail, over_at: null }).where('over_at', 'is not', null).execute();
    },
    /** Lists entries, newest first. */
    async list({ limit, tenant, jobId, isOpen }: LateQuery): Promise<readonly Late[]> {
      let query = select().orderBy('at', 'desc').orderBy('key', 'desc').limit(limit);
      if (tenant !== undefined) query = query.where('tenant', '=', tenant);
      if (jobId !== undefined) query = query.where('job_id', '=', jobId);
      if (isOpen) query = query.where('over_at', 'is', null);
      return (await query.execute()).map(toLate);
    },
    async end(tx: Transaction, late: Late, atMs: number): Promise<void> {
      await rowOf(tx, late).set({ over_at: atMs }).execute();
    },
    /** Returns the entries for which there are no notifications yet, oldest first. */
    async untold(limit: number): Promise<readonly Late[]> {
      return (await select().where('told', 'is', null).orderBy('at').limit(limit).execute()).map(toLate);
    },
    /** @param told the time at which each receiver was notified */
    async setTold(tx: Transaction, late: Late, told: Readonly<Record<string, number>>): Promise<void> {
      await rowOf(tx, late)
        .set({ told: JSON.stringify(told) })
        .execute();
    },
    /** Returns when each receiver was last notified about this job and kind. All kinds but `missed` count as one. */
    async lastTold({ tenant, jobId, kind }: Late): Promise<ReadonlyMap<string, number>> {
      const rows = await select()
        .where((eb) => eb.and({ tenant, job_id: jobId }))
        .where('kind', kind === 'missed' ? '=' : '!=', 'missed')
        .where('told', 'is not', null)
        .orderBy('at', 'desc')
        .limit(mostTold)
        .execute();
      const last = new Map<string, number>();
      for (const { told } of rows.toReversed()) {
        const own: Readonly<Record<string, number>> = JSON.parse(told ?? '{}');
        for (const [receiver, atMs] of Object.entries(own)) last.set(receiver, atMs);
      }
      return last;
    },
    ...createExpecting(database),
    async removeOld(beforeMs: number, limit: number): Promise<number> {
      const old = await read
        .selectFrom('late')
        .select(['tenant', 'job_id', 'kind', 'key'])
        .where('at', '<', beforeMs)
        .limit(limit)
        .execute();
      if (old.length === 0) return 0;
      await database.transact(async ({ db }) => {
        for (const one of old)
          await db
            .deleteFrom('late')
            .where((eb) => eb.and(one))
            .execute();
        // These notifications belong to no run. All others are removed with their run.
        await db.deleteFrom('notices').where('run_id', 'is', null).where('created_at', '<', beforeMs).execute();
      });
      return old.length;
    },
  };
}

function createExpecting({ read }: Database) {
  const successes = ({ tenant, jobId }: JobOfTenant) =>
    read.selectFrom('runs').where((eb) => eb.and({ job_id: jobId, status: 'success', tenant }));
  return {
    /** Returns the jobs whose successes are expected. */
    async expecting(): Promise<readonly ExpectingJob[]> {
      const rows = await read.selectFrom('expecting_jobs').selectAll().execute();
      return rows.map(({ job_id: jobId, terms, since_at: sinceMs }) => ({ jobId, terms, sinceMs }));
    },
    async setExpecting(
      tx: Transaction,
      { begun, ended }: { readonly begun: readonly ExpectingJob[]; readonly ended: readonly string[] },
    ): Promise<void> {
      for (const jobId of [...ended, ...begun.map((job) => job.jobId)])
        await tx.db.deleteFrom('expecting_jobs').where('job_id', '=', jobId).execute();
      for (const { jobId, terms, sinceMs } of begun)
        await tx.db.insertInto('expecting_jobs').values({ job_id: jobId, terms, since_at: sinceMs }).execute();
    },
    /** Returns the runs in progress, each with the time of its start. */
    async running(): Promise<readonly (JobOfTenant & { readonly runId: string; readonly startedAtMs: number })[]> {
      const rows = await read
        .selectFrom('runs')
        .select(['id', 'job_id', 'tenant', 'started_at'])
        .where('status', '=', 'running')
        .execute();
      return rows.map((row) => ({
        runId: row.id,
        jobId: row.job_id,
        tenant: row.tenant,
        startedAtMs: row.started_at ?? 0,
      }));
    },
    /** Returns when the newest successful run ended. */
    async lastSuccessAtMs(of: JobOfTenant): Promise<number | null> {
      const row = await successes(of).select('finished_at').orderBy('created_at', 'desc').limit(1).executeTakeFirst();
      return row?.finished_at ?? null;
    },
    async hasSuccess(
      of: JobOfTenant,
      { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
    ): Promise<boolean> {
      const row = await successes(of)
        .select('id')
        .where('created_at', '>=', fromMs - longestRunMs)
        .where('created_at', '<=', toMs)
        .where('finished_at', '>=', fromMs)
        .where('finished_at', '<=', toMs)
        .orderBy('created_at', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row !== undefined;
    },
  };
}

function rowOf(tx: Transaction, { tenant, jobId, kind, key }: NewLate) {
  return tx.db.updateTable('late').where((eb) => eb.and({ tenant, job_id: jobId, kind, key }));
}

function toRow(late: NewLate): LateRow {
  return {
    tenant: late.tenant,
    job_id: late.jobId,
    kind: late.kind,
    key: late.key,
    at: late.atMs,
    run_id: late.runId,
    schedule_id: late.scheduleId,
    detail: late.detail,
    over_at: null,
    told: null,
  };
}

function toLate(row: LateRow): Late {
  return {
    tenant: row.tenant,
    jobId: row.job_id,
    kind: row.kind,
    key: row.key,
    atMs: row.at,
    runId: row.run_id,
    scheduleId: row.schedule_id,
    detail: row.detail,
    overAtMs: row.over_at,
  };
}
