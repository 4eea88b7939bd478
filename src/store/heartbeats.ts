// The HTTP calls that report the successes of schedules. Each schedule has one row, because only the newest success is
// reported (ADR 0073).

import type { ScheduleHeartbeat } from '../domain/notification.ts';
import type { Heartbeat } from '../domain/schedule.ts';
import type { Database, Transaction } from './database.ts';
import type { HeartbeatRow } from './schema.ts';

/** A success that flwd reports by calling the heartbeat address of the schedule. */
export type NewHeartbeat = ScheduleHeartbeat & {
  readonly tenant: string;
  readonly runId: string;
  readonly successAtMs: number;
};

/** How a call ended. It succeeded if `error` is null. */
export type Called = { readonly atMs: number; readonly error: string | null; readonly nextAtMs: number | null };

export type HeartbeatStore = ReturnType<typeof createHeartbeatStore>;

export function createHeartbeatStore({ read }: Database) {
  const select = () => read.selectFrom('heartbeats').selectAll();
  return {
    async find(scheduleId: string): Promise<Heartbeat | undefined> {
      const row = await select().where('schedule_id', '=', scheduleId).executeTakeFirst();
      return row && toHeartbeat(row);
    },
    /** Stores a success of the schedule. It replaces an earlier success, which is then no longer reported. */
    async put(
      tx: Transaction,
      { scheduleId, tenant, to, runId, successAtMs }: NewHeartbeat,
      nowMs: number,
    ): Promise<void> {
      const address = JSON.stringify(to);
      const newest = { tenant, address, run_id: runId, success_at: successAtMs, attempts: 0, next_at: nowMs };
      await tx.db
        .insertInto('heartbeats')
        .values({ schedule_id: scheduleId, ...newest, called_at: null, failed_at: null, last_error: null })
        .onConflict((conflict) => conflict.column('schedule_id').doUpdateSet(newest))
        .execute();
    },
    /** Returns the calls that are due, the one that has waited longest first. Leaves out the schedules in `busy`. */
    async due(nowMs: number, busy: readonly string[], limit: number): Promise<readonly Heartbeat[]> {
      let query = select().where('next_at', '<=', nowMs).orderBy('next_at').limit(limit);
      if (busy.length > 0) query = query.where('schedule_id', 'not in', busy);
      return (await query.execute()).map(toHeartbeat);
    },
    /** Returns the job of the schedule; undefined if neither the schedule nor the run exists any more. */
    async jobId({ scheduleId, runId }: Pick<Heartbeat, 'scheduleId' | 'runId'>): Promise<string | undefined> {
      const ofRun = read.selectFrom('runs').select('job_id').where('id', '=', runId);
      const query = read.selectFrom('schedules').select('job_id').where('id', '=', scheduleId).unionAll(ofRun);
      return (await query.executeTakeFirst())?.job_id;
    },
    /** Returns when the first call after `nowMs` is due; null if there is no such call. */
    nextDueAtMs: async (nowMs: number): Promise<number | null> => {
      const row = await read
        .selectFrom('heartbeats')
        .select('next_at')
        .where('next_at', '>', nowMs)
        .orderBy('next_at')
        .limit(1)
        .executeTakeFirst();
      return row?.next_at ?? null;
    },
    /**
     * Records how a call ended. If the schedule has succeeded again in the meantime, the call for that success stays
     * due.
     */
    async settle(
      tx: Transaction,
      { scheduleId, runId, attempts }: Heartbeat,
      { atMs, error, nextAtMs }: Called,
    ): Promise<void> {
      const result = error === null ? { called_at: atMs } : { failed_at: atMs, last_error: error };
      const ofSchedule = tx.db.updateTable('heartbeats').where('schedule_id', '=', scheduleId);
      await ofSchedule.set(result).execute();
      await ofSchedule
        .set({ attempts: error === null ? attempts : attempts + 1, next_at: nextAtMs })
        .where('run_id', '=', runId)
        .execute();
    },
    /** Moves the times of the next calls by `byMs`, because the wall clock was moved by the same amount. */
    async moveDues(tx: Transaction, byMs: number): Promise<void> {
      await tx.db
        .updateTable('heartbeats')
        .set((eb) => ({ next_at: eb('next_at', '+', byMs), success_at: eb('success_at', '+', byMs) }))
        .where('next_at', 'is not', null)
        .execute();
    },
  };
}

function toHeartbeat(row: HeartbeatRow): Heartbeat {
  return {
    scheduleId: row.schedule_id,
    tenant: row.tenant,
    to: JSON.parse(row.address),
    runId: row.run_id,
    successAtMs: row.success_at,
    attempts: row.attempts,
    nextAtMs: row.next_at,
    lastCall: row.called_at === null ? null : { atMs: row.called_at },
    lastFailure: row.failed_at === null ? null : { atMs: row.failed_at, error: row.last_error ?? '' },
  };
}
