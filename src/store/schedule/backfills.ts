// Backfills. Each stores the past times of a schedule for which it starts runs, and how far it has come (ADR 0076).

import type { Expression, SqlBool } from 'kysely';
import { type Backfill, backfillLabel } from '../../domain/schedule.ts';
import type { Database, Transaction } from '../database.ts';
import { countRows } from '../query-parts.ts';
import type { BackfillRow } from '../schema.ts';

/** A backfill that has not ended. */
export type OpenBackfill = Backfill & {
  /** The nominal times for which the backfill starts runs, oldest first. */
  readonly times: readonly number[];
  /** How many of these times were handled. */
  readonly cursor: number;
};

type BackfillQuery = {
  readonly tenant: string | undefined;
  readonly jobIds: readonly string[] | undefined;
  readonly scheduleId: string | undefined;
  readonly status: Backfill['status'] | undefined;
  readonly after: { readonly createdAtMs: number; readonly id: string } | undefined;
  readonly offset: number;
  readonly limit: number;
};

type BackfillEnd = Pick<Backfill, 'failedRuns' | 'error'> & {
  readonly status: 'done' | 'failed' | 'cancelled';
  readonly atMs: number;
};

export type BackfillStore = ReturnType<typeof createBackfillStore>;

export function createBackfillStore({ read, transact }: Database) {
  const runsOf = (id: string) =>
    read
      .selectFrom('run_labels')
      .innerJoin('runs', 'runs.id', 'run_labels.run_id')
      .where('run_labels.key', '=', backfillLabel)
      .where('run_labels.value', '=', id)
      .where('runs.trigger', '=', 'backfill');
  return {
    /** Adds the backfill. Returns false if the tenant already has `most` backfills that have not ended. */
    async add(tx: Transaction, backfill: OpenBackfill, most: number): Promise<boolean> {
      const open = tx.db.selectFrom('backfills').where('finished_at', 'is', null);
      if ((await countRows(open.where('tenant', '=', backfill.tenant))) >= most) return false;
      await tx.db.insertInto('backfills').values(toRow(backfill)).execute();
      return true;
    },
    async find(id: string): Promise<Backfill | undefined> {
      const row = await read.selectFrom('backfills').selectAll().where('id', '=', id).executeTakeFirst();
      return row && toBackfill(row);
    },
    /** Returns the backfills that have not ended, oldest first. */
    async open(): Promise<readonly OpenBackfill[]> {
      const open = read.selectFrom('backfills').selectAll().where('finished_at', 'is', null);
      return (await open.orderBy('created_at').orderBy('id').execute()).map(toOpen);
    },
    /** Lists backfills, newest first. `total` also counts the backfills of other pages. */
    page: (query: BackfillQuery): Promise<{ readonly backfills: readonly Backfill[]; readonly total: number }> =>
      pageOf(read, query),
    /** Returns the jobs that have backfills. Without a tenant, the backfills of all tenants count. */
    async jobIds(tenant: string | undefined): Promise<readonly string[]> {
      let query = read.selectFrom('backfills').select('job_id').distinct();
      if (tenant !== undefined) query = query.where('tenant', '=', tenant);
      return (await query.execute()).map(({ job_id: jobId }) => jobId);
    },
    /**
     * Records that the time at the cursor was handled. Returns false if the backfill has ended, its cursor has moved,
     * or all schedules of its tenant are paused.
     */
    advance,
    unfinishedRuns: (id: string): Promise<number> =>
      countRows(runsOf(id).where('runs.status', 'in', ['pending', 'running'])),
    failedRuns: (id: string): Promise<number> => countRows(runsOf(id).where('runs.status', '=', 'failed')),
    /** Ends the backfill. Returns false if it has already ended. */
    end,
    async removeOld(beforeMs: number, limit: number): Promise<number> {
      const old = await read
        .selectFrom('backfills')
        .select('id')
        .where('finished_at', '<', beforeMs)
        .limit(limit)
        .execute();
      if (old.length === 0) return 0;
      const ids = old.map(({ id }) => id);
      await transact(async ({ db }) => {
        await db.deleteFrom('backfills').where('id', 'in', ids).execute();
      });
      return ids.length;
    },
  };
}

async function pageOf(read: Database['read'], asked: BackfillQuery) {
  const { tenant, jobIds, scheduleId, status, after, offset, limit } = asked;
  if (jobIds?.length === 0) return { backfills: [], total: 0 };
  let matching = read.selectFrom('backfills');
  if (tenant !== undefined) matching = matching.where('tenant', '=', tenant);
  if (jobIds) matching = matching.where('job_id', 'in', jobIds);
  if (scheduleId !== undefined) matching = matching.where('schedule_id', '=', scheduleId);
  if (status !== undefined) matching = matching.where('status', '=', status);
  let query = matching.selectAll().orderBy('created_at', 'desc').orderBy('id', 'desc').offset(offset).limit(limit);
  if (after)
    query = query.where(
      (eb): Expression<SqlBool> => eb(eb.refTuple('created_at', 'id'), '<', eb.tuple(after.createdAtMs, after.id)),
    );
  return { backfills: (await query.execute()).map(toBackfill), total: await countRows(matching) };
}

async function advance(
  tx: Transaction,
  { id, cursor, tenant }: Pick<OpenBackfill, 'id' | 'cursor' | 'tenant'>,
  how: 'started' | 'left-out',
): Promise<boolean> {
  const advanced = await tx.db
    .updateTable('backfills')
    .set((eb) => ({
      cursor: cursor + 1,
      ...(how === 'started' ? { started: eb('started', '+', 1) } : { left_out: eb('left_out', '+', 1) }),
    }))
    .where('id', '=', id)
    .where('finished_at', 'is', null)
    .where('cursor', '=', cursor)
    .where((eb) =>
      eb.not(eb.exists(eb.selectFrom('schedule_pauses').select('paused_at').where('tenant', 'in', ['*', tenant]))),
    )
    .returning('id')
    .executeTakeFirst();
  return advanced !== undefined;
}

async function end(tx: Transaction, id: string, { status, atMs, failedRuns, error }: BackfillEnd): Promise<boolean> {
  const ended = await tx.db
    .updateTable('backfills')
    .set({
      status,
      finished_at: atMs,
      failed_runs: failedRuns,
      problem: error?.type ?? null,
      detail: error?.detail ?? null,
      times: '[]',
    })
    .where('id', '=', id)
    .where('finished_at', 'is', null)
    .returning('id')
    .executeTakeFirst();
  return ended !== undefined;
}

function toRow(backfill: OpenBackfill): BackfillRow {
  return {
    id: backfill.id,
    schedule_id: backfill.scheduleId,
    job_id: backfill.jobId,
    tenant: backfill.tenant,
    from_at: backfill.fromMs,
    until_at: backfill.untilMs,
    at_once: backfill.atOnce,
    status: backfill.status,
    times: JSON.stringify(backfill.times),
    cursor: backfill.cursor,
    in_span: backfill.inSpan,
    left_out: backfill.leftOut,
    started: backfill.started,
    failed_runs: backfill.failedRuns,
    created_at: backfill.createdAtMs,
    created_by: backfill.createdBy,
    bound_to: backfill.boundTo && JSON.stringify(backfill.boundTo),
    account: backfill.account,
    finished_at: backfill.finishedAtMs,
    problem: backfill.error?.type ?? null,
    detail: backfill.error?.detail ?? null,
  };
}

function toOpen(row: BackfillRow): OpenBackfill {
  return { ...toBackfill(row), times: JSON.parse(row.times), cursor: row.cursor };
}

function toBackfill(row: BackfillRow): Backfill {
  return {
    id: row.id,
    scheduleId: row.schedule_id,
    jobId: row.job_id,
    tenant: row.tenant,
    fromMs: row.from_at,
    untilMs: row.until_at,
    atOnce: row.at_once,
    status: row.status,
    inSpan: row.in_span,
    leftOut: row.left_out,
    started: row.started,
    failedRuns: row.failed_runs,
    createdAtMs: row.created_at,
    createdBy: row.created_by,
    boundTo: row.bound_to === null ? null : JSON.parse(row.bound_to),
    account: row.account,
    finishedAtMs: row.finished_at,
    error: row.problem === null ? null : { type: row.problem, detail: row.detail ?? '' },
  };
}
