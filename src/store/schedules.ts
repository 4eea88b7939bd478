// Schedules made through the API, and how every schedule went. A nominal time is dealt with once: the newest one stands in
// the row, which goes back only when the clock was ahead (ADR 0011).

import type { Fire, FireError, Schedule, ScheduleState } from '../domain/schedule.ts';
import { toTimestamp } from '../lib/clock.ts';
import type { Database, Transaction } from './database.ts';
import type { ScheduleRow, ScheduleStateRow } from './schema.ts';

/** With a row of its own. */
export type StoredSchedule = Schedule & {
  readonly source: 'api';
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly createdBy: string;
};

export type ScheduleStore = {
  /** Those made through the API. */
  readonly all: () => Promise<StoredSchedule[]>;
  /** One of those. */
  readonly find: (id: string) => Promise<StoredSchedule | undefined>;
  /** By schedule id; also of schedules of config.yaml, and of some that are gone. */
  readonly states: () => Promise<Map<string, ScheduleState>>;
  /** Adds it, or replaces what was there under its id. */
  readonly put: (tx: Transaction, schedule: StoredSchedule) => Promise<void>;
  /** With its state. */
  readonly remove: (tx: Transaction, id: string) => Promise<void>;
  /** Its nominal times count from `sinceMs` on; what has been dealt with stays so. */
  readonly begin: (tx: Transaction, id: string, sinceMs: number) => Promise<void>;
  readonly rest: (tx: Transaction, id: string, atMs: number) => Promise<void>;
  /** A run is started for a nominal time. False when that time has one, or a later one has been dealt with. */
  readonly fire: (tx: Transaction, id: string, fire: Fire) => Promise<boolean>;
  /** No run is started for a nominal time; without an error, it is passed over. */
  readonly settle: (tx: Transaction, id: string, nominalAtMs: number, error: FireError | null) => Promise<void>;
  /** The clock was ahead when it was last dealt with: its times after `toMs` count again. */
  readonly rewind: (tx: Transaction, id: string, toMs: number) => Promise<void>;
  /** Forgets the states of those that have been gone since before `beforeMs`. */
  readonly forget: (tx: Transaction, ids: readonly string[], beforeMs: number) => Promise<void>;
};

export function createScheduleStore({ read }: Database): ScheduleStore {
  return {
    async all() {
      return (await read.selectFrom('schedules').selectAll().orderBy('id').execute()).map(toSchedule);
    },

    async find(id) {
      const row = await read.selectFrom('schedules').selectAll().where('id', '=', id).executeTakeFirst();
      return row && toSchedule(row);
    },

    async states() {
      const rows = await read.selectFrom('schedule_states').selectAll().execute();
      return new Map(rows.map((row) => [row.schedule_id, toState(row)]));
    },

    async put(tx, schedule) {
      const { id, ...rest } = toRow(schedule);
      await tx.db
        .insertInto('schedules')
        .values({ id, ...rest })
        .onConflict((conflict) => conflict.column('id').doUpdateSet(rest))
        .execute();
    },

    async remove(tx, id) {
      await tx.db.deleteFrom('schedules').where('id', '=', id).execute();
      await tx.db.deleteFrom('schedule_states').where('schedule_id', '=', id).execute();
    },

    async begin(tx, id, sinceMs) {
      await tx.db
        .insertInto('schedule_states')
        .values({
          schedule_id: id,
          since_at: sinceMs,
          settled_at: null,
          fired_until: null,
          idle_since_at: null,
          last_fire: null,
          last_error: null,
        })
        .onConflict((conflict) =>
          conflict.column('schedule_id').doUpdateSet({ since_at: sinceMs, idle_since_at: null }),
        )
        .execute();
    },

    async rest(tx, id, atMs) {
      await tx.db.updateTable('schedule_states').set({ idle_since_at: atMs }).where('schedule_id', '=', id).execute();
    },

    async fire(tx, id, fire) {
      const changed = await unsettled(tx, id, fire.nominalAtMs)
        .set({ settled_at: fire.nominalAtMs, last_fire: JSON.stringify(fire), last_error: null })
        .returning('fired_until')
        .executeTakeFirst();
      if (!changed) return false;
      return (changed.fired_until ?? 0) < fire.nominalAtMs || !(await hasRun(tx, id, fire));
    },

    async rewind(tx, id, toMs) {
      await tx.db
        .updateTable('schedule_states')
        .set((eb) => ({
          since_at: eb.case().when('since_at', '>', toMs).then(toMs).else(eb.ref('since_at')).end(),
          settled_at: toMs,
          fired_until: eb
            .case()
            .when('fired_until', '>', eb.ref('settled_at'))
            .then(eb.ref('fired_until'))
            .else(eb.ref('settled_at'))
            .end(),
        }))
        .where('schedule_id', '=', id)
        .execute();
    },

    async settle(tx, id, nominalAtMs, error) {
      const failure = error === null ? {} : { last_error: JSON.stringify(error) };
      await unsettled(tx, id, nominalAtMs)
        .set({ settled_at: nominalAtMs, ...failure })
        .execute();
    },

    async forget(tx, ids, beforeMs) {
      for (const id of ids) {
        await tx.db
          .deleteFrom('schedule_states')
          .where('schedule_id', '=', id)
          .where('idle_since_at', '<', beforeMs)
          .execute();
      }
    },
  };
}

/** Another run was started for this nominal time. */
async function hasRun(tx: Transaction, scheduleId: string, { nominalAtMs, runId }: Fire): Promise<boolean> {
  const found = await tx.db
    .selectFrom('run_labels as nominal')
    .innerJoin('run_labels as own', 'own.run_id', 'nominal.run_id')
    .innerJoin('runs', 'runs.id', 'nominal.run_id')
    .select('runs.id')
    .where('nominal.key', '=', 'nominal_at')
    .where('nominal.value', '=', toTimestamp(nominalAtMs))
    .where('own.key', '=', 'schedule_id')
    .where('own.value', '=', scheduleId)
    .where('runs.trigger', '=', 'schedule')
    .where('runs.id', '!=', runId)
    .executeTakeFirst();
  return found !== undefined;
}

/** Where neither this time nor a later one has been dealt with. */
function unsettled(tx: Transaction, id: string, nominalAtMs: number) {
  return tx.db
    .updateTable('schedule_states')
    .where('schedule_id', '=', id)
    .where((eb) => eb.or([eb('settled_at', 'is', null), eb('settled_at', '<', nominalAtMs)]));
}

function toSchedule(row: ScheduleRow): StoredSchedule {
  return {
    id: row.id,
    name: row.name,
    jobId: row.job_id,
    tenant: row.tenant,
    source: 'api',
    cron: row.cron,
    timezone: row.timezone,
    args: JSON.parse(row.args),
    catchUp: row.catch_up,
    jitterMs: row.jitter_ms,
    enabled: row.enabled === 1,
    labels: JSON.parse(row.labels),
    createdAtMs: row.created_at,
    updatedAtMs: row.updated_at,
    createdBy: row.created_by,
  };
}

function toRow(schedule: StoredSchedule): ScheduleRow {
  return {
    id: schedule.id,
    name: schedule.name,
    job_id: schedule.jobId,
    tenant: schedule.tenant,
    cron: schedule.cron,
    timezone: schedule.timezone,
    args: JSON.stringify(schedule.args),
    catch_up: schedule.catchUp,
    jitter_ms: schedule.jitterMs,
    enabled: schedule.enabled ? 1 : 0,
    labels: JSON.stringify(schedule.labels),
    created_at: schedule.createdAtMs,
    updated_at: schedule.updatedAtMs,
    created_by: schedule.createdBy,
  };
}

function toState(row: ScheduleStateRow): ScheduleState {
  return {
    sinceMs: row.since_at,
    settledAtMs: row.settled_at,
    idleSinceMs: row.idle_since_at,
    lastFire: row.last_fire === null ? null : JSON.parse(row.last_fire),
    lastError: row.last_error === null ? null : JSON.parse(row.last_error),
  };
}
