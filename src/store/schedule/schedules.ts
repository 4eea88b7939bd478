// Schedules that were made through the API, and the state of every schedule. Each nominal time is handled once, because
// the state contains the newest time that was handled. That time moves back only if the clock was ahead (ADR 0011).

import type { Fire, FireError, Schedule, ScheduleRun, ScheduleState } from '../../domain/schedule.ts';
import { toTimestamp } from '../../lib/clock.ts';
import type { Database, Transaction } from '../database.ts';
import { prepareQuery } from '../prepared-query.ts';
import type { ScheduleRow, ScheduleStateRow } from '../schema.ts';

/** A schedule that was made through the API. */
export type StoredSchedule = Schedule & {
  readonly source: 'api';
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly createdBy: string;
};

export type SchedulePause = { readonly atMs: number; readonly by: string };

/** Says when a released schedule begins to fire. If the schedule is disabled, `idleSinceMs` is not null. */
type Release = Pick<ScheduleState, 'sinceMs' | 'notBeforeMs' | 'idleSinceMs'>;

type ScheduleRunsQuery = {
  readonly scheduleId: string;
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly most: number;
};

export type ScheduleStore = ReturnType<typeof createScheduleStore>;

export function createScheduleStore({ read }: Pick<Database, 'read'>) {
  return {
    async all(): Promise<StoredSchedule[]> {
      return (await read.selectFrom('schedules').selectAll().orderBy('id').execute()).map(toSchedule);
    },

    async find(id: string): Promise<StoredSchedule | undefined> {
      const row = await read.selectFrom('schedules').selectAll().where('id', '=', id).executeTakeFirst();
      return row && toSchedule(row);
    },

    /** Returns who has paused all schedules, and when, by tenant. `*` stands for every tenant. */
    pauses: (): Promise<Map<string, SchedulePause>> => pausesIn(read),
    pause,
    resume,

    /**
     * Returns the runs of a schedule that were created from `sinceMs` to before `untilMs`, newest first, and at most
     * `most`.
     */
    runs: (query: ScheduleRunsQuery): Promise<ScheduleRun[]> => runsOf(read, query),

    /** Adds the schedule, or replaces the schedule with the same id. */
    async put(tx: Transaction, schedule: StoredSchedule): Promise<void> {
      const { id, ...rest } = toRow(schedule);
      await tx.db
        .insertInto('schedules')
        .values({ id, ...rest })
        .onConflict((conflict) => conflict.column('id').doUpdateSet(rest))
        .execute();
    },

    /** Removes the schedule, its state and its heartbeat. */
    async remove(tx: Transaction, id: string): Promise<void> {
      await tx.db.deleteFrom('schedules').where('id', '=', id).execute();
      await tx.db.deleteFrom('schedule_states').where('schedule_id', '=', id).execute();
      await tx.db.deleteFrom('heartbeats').where('schedule_id', '=', id).execute();
    },

    ...createStates(read),
  };
}

/** Stores the state of each schedule, and finds the runs that it has started. */
function createStates(read: Database['read']) {
  return {
    /**
     * Returns the states by the ids of the schedules. Schedules of config.yaml have states, too, and so have some
     * schedules that no longer exist.
     */
    async states(): Promise<Map<string, ScheduleState>> {
      const rows = await read.selectFrom('schedule_states').selectAll().execute();
      return new Map(rows.map((row) => [row.schedule_id, toState(row)]));
    },

    /** From now on, the nominal times after `sinceMs` count. Times that were already handled are not handled again. */
    async begin(tx: Transaction, id: string, sinceMs: number): Promise<void> {
      await tx.db
        .insertInto('schedule_states')
        .values({ ...newState, schedule_id: id, since_at: sinceMs })
        .onConflict((conflict) =>
          conflict.column('schedule_id').doUpdateSet({ since_at: sinceMs, idle_since_at: null }),
        )
        .execute();
    },

    /** Records which job the schedule starts. */
    async setJob(tx: Transaction, id: string, jobId: string): Promise<void> {
      await tx.db.updateTable('schedule_states').set({ job_id: jobId }).where('schedule_id', '=', id).execute();
    },

    /** Records that the schedule no longer exists or is disabled. From then on, it starts no runs. */
    async rest(tx: Transaction, id: string, atMs: number): Promise<void> {
      await tx.db.updateTable('schedule_states').set({ idle_since_at: atMs }).where('schedule_id', '=', id).execute();
    },

    /** Holds the schedule, whatever its config.yaml says. From then on, it starts no runs. */
    hold,
    /** Releases the schedule, whatever its config.yaml says. */
    release,

    /**
     * Records that a run starts for a nominal time. Returns false if that time already has a run, a later time was
     * handled, or the schedule no longer fires.
     */
    async fire(tx: Transaction, id: string, fire: Fire): Promise<boolean> {
      const changed = await unsettled(tx, id, fire.nominalAtMs)
        .set({ settled_at: fire.nominalAtMs, last_fire: JSON.stringify(fire), last_error: null })
        .returning('fired_until')
        .executeTakeFirst();
      if (!changed) return false;
      return (changed.fired_until ?? 0) < fire.nominalAtMs || !(await hasRun(tx, id, fire));
    },

    /**
     * Records that a backfill adds a run for a nominal time. The schedule then looks for this run before it starts a
     * run for the same time. Returns false if the time already has a run.
     */
    backfill,

    /** Returns the given times for which the schedule or one of its backfills has started a run. */
    withRun: (id: string, times: readonly number[]): Promise<ReadonlySet<number>> => timesWithRun(read, id, times),

    /** Must be called if the clock was ahead. The nominal times after `toMs` then count again. */
    rewind,

    /** Records that no run starts for a nominal time, because the start failed or the time is skipped. */
    async settle(tx: Transaction, id: string, nominalAtMs: number, error: FireError | null): Promise<void> {
      const failure = error === null ? {} : { last_error: JSON.stringify(error) };
      await unsettled(tx, id, nominalAtMs)
        .set({ settled_at: nominalAtMs, ...failure })
        .execute();
    },

    /**
     * Removes the states of schedules that have been inactive since before `beforeMs`. Schedules that are held keep
     * their states.
     */
    forget,
  };
}

/**
 * The triggers of runs with the labels of a schedule. The labels alone prove nothing, because anybody may put them on a
 * run. But only schedules and backfills start runs with these triggers.
 */
const ofSchedules = ['schedule', 'backfill'] as const;

const selectRuns = prepareQuery((db, { scheduleId, sinceMs, untilMs, most }: ScheduleRunsQuery) =>
  db
    .selectFrom('run_labels as own')
    .innerJoin('runs', 'runs.id', 'own.run_id')
    .leftJoin('run_labels as nominal', (join) =>
      join.onRef('nominal.run_id', '=', 'own.run_id').on('nominal.key', '=', 'nominal_at'),
    )
    .select(['runs.id', 'runs.status', 'runs.created_at', 'runs.started_at', 'runs.finished_at'])
    .select('nominal.value as nominal_at')
    .where('own.key', '=', 'schedule_id')
    .where('own.value', '=', scheduleId)
    .where('own.created_at', '>=', sinceMs)
    .where('own.created_at', '<', untilMs)
    .where('runs.trigger', 'in', ofSchedules)
    .orderBy('own.created_at', 'desc')
    .limit(most),
);

async function runsOf(read: Database['read'], query: ScheduleRunsQuery): Promise<ScheduleRun[]> {
  return (await selectRuns(read, query)).map((run) => ({
    runId: run.id,
    nominalAtMs: run.nominal_at === null ? null : Date.parse(run.nominal_at),
    status: run.status,
    createdAtMs: run.created_at,
    startedAtMs: run.started_at,
    finishedAtMs: run.finished_at,
  }));
}

const newState = {
  settled_at: null,
  fired_until: null,
  idle_since_at: null,
  held: null,
  not_before: null,
  last_fire: null,
  last_error: null,
  job_id: null,
};

async function hold(tx: Transaction, id: string, atMs: number): Promise<void> {
  const held = { held: 1, not_before: null, idle_since_at: atMs } as const;
  await tx.db
    .insertInto('schedule_states')
    .values({ ...newState, ...held, schedule_id: id, since_at: atMs })
    .onConflict((conflict) => conflict.column('schedule_id').doUpdateSet(held))
    .execute();
}

async function release(tx: Transaction, id: string, { sinceMs, notBeforeMs, idleSinceMs }: Release): Promise<void> {
  const released = { held: 0, since_at: sinceMs, not_before: notBeforeMs, idle_since_at: idleSinceMs } as const;
  await tx.db
    .insertInto('schedule_states')
    .values({ ...newState, ...released, schedule_id: id })
    .onConflict((conflict) => conflict.column('schedule_id').doUpdateSet(released))
    .execute();
}

async function pausesIn(read: Database['read']): Promise<Map<string, SchedulePause>> {
  const rows = await read.selectFrom('schedule_pauses').selectAll().execute();
  return new Map(rows.map((row) => [row.tenant, { atMs: row.paused_at, by: row.paused_by }]));
}

async function pause(tx: Transaction, tenant: string, { atMs, by }: SchedulePause): Promise<void> {
  await tx.db
    .insertInto('schedule_pauses')
    .values({ tenant, paused_at: atMs, paused_by: by })
    .onConflict((conflict) => conflict.column('tenant').doNothing())
    .execute();
}

async function resume(tx: Transaction, tenant: string): Promise<void> {
  await tx.db.deleteFrom('schedule_pauses').where('tenant', '=', tenant).execute();
}

async function forget(tx: Transaction, ids: readonly string[], beforeMs: number): Promise<void> {
  for (const id of ids) {
    const forgotten = await tx.db
      .deleteFrom('schedule_states')
      .where('schedule_id', '=', id)
      .where('idle_since_at', '<', beforeMs)
      .where((eb) => eb.or([eb('held', 'is', null), eb('held', '=', 0)]))
      .returning('schedule_id')
      .executeTakeFirst();
    if (forgotten) await tx.db.deleteFrom('heartbeats').where('schedule_id', '=', id).execute();
  }
}

async function rewind(tx: Transaction, id: string, toMs: number): Promise<void> {
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
}

async function backfill(tx: Transaction, id: string, fire: Fire): Promise<boolean> {
  if (await hasRun(tx, id, fire)) return false;
  const { nominalAtMs, atMs } = fire;
  await tx.db
    .insertInto('schedule_states')
    .values({ ...newState, schedule_id: id, since_at: atMs, idle_since_at: atMs, fired_until: nominalAtMs })
    .onConflict((conflict) =>
      conflict.column('schedule_id').doUpdateSet((eb) => ({
        fired_until: eb
          .case()
          .when('schedule_states.fired_until', '>', nominalAtMs)
          .then(eb.ref('schedule_states.fired_until'))
          .else(nominalAtMs)
          .end(),
      })),
    )
    .execute();
  return true;
}

async function timesWithRun(
  read: Database['read'],
  scheduleId: string,
  times: readonly number[],
): Promise<ReadonlySet<number>> {
  if (times.length === 0) return new Set();
  const rows = await read
    .selectFrom('run_labels as nominal')
    .innerJoin('run_labels as own', 'own.run_id', 'nominal.run_id')
    .innerJoin('runs', 'runs.id', 'nominal.run_id')
    .select('nominal.value')
    .where('nominal.key', '=', 'nominal_at')
    .where('nominal.value', 'in', times.map(toTimestamp))
    .where('own.key', '=', 'schedule_id')
    .where('own.value', '=', scheduleId)
    .where('runs.trigger', 'in', ofSchedules)
    .execute();
  return new Set(rows.map(({ value }) => Date.parse(value)));
}

/** Whether another run has this nominal time. */
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
    .where('runs.trigger', 'in', ofSchedules)
    .where('runs.id', '!=', runId)
    .executeTakeFirst();
  return found !== undefined;
}

/**
 * An update of the state. It changes nothing if the schedule no longer fires, or if this time or a later one was
 * handled.
 */
function unsettled(tx: Transaction, id: string, nominalAtMs: number) {
  return tx.db
    .updateTable('schedule_states')
    .where('schedule_id', '=', id)
    .where('idle_since_at', 'is', null)
    .where((eb) => eb.or([eb('settled_at', 'is', null), eb('settled_at', '<', nominalAtMs)]));
}

function toSchedule(row: ScheduleRow): StoredSchedule {
  return {
    id: row.id,
    name: row.name,
    jobId: row.job_id,
    tenant: row.tenant,
    source: 'api',
    held: false,
    cron: row.at === null ? row.cron : null,
    atMs: row.at,
    ...(row.days === null ? { calendar: null, except: [] } : JSON.parse(row.days)),
    timezone: row.timezone,
    args: JSON.parse(row.args),
    catchUp: row.catch_up,
    jitterMs: row.jitter_ms,
    enabled: row.enabled === 1,
    labels: JSON.parse(row.labels),
    createdAtMs: row.created_at,
    updatedAtMs: row.updated_at,
    createdBy: row.created_by,
    boundTo: row.bound_to === null ? null : JSON.parse(row.bound_to),
    ...(row.heartbeat !== null && { heartbeat: JSON.parse(row.heartbeat) }),
  };
}

function toRow(schedule: StoredSchedule): ScheduleRow {
  return {
    id: schedule.id,
    name: schedule.name,
    job_id: schedule.jobId,
    tenant: schedule.tenant,
    cron: schedule.cron ?? '',
    at: schedule.atMs,
    days: hasDays(schedule) ? JSON.stringify({ calendar: schedule.calendar, except: schedule.except }) : null,
    timezone: schedule.timezone,
    args: JSON.stringify(schedule.args),
    catch_up: schedule.catchUp,
    jitter_ms: schedule.jitterMs,
    enabled: schedule.enabled ? 1 : 0,
    labels: JSON.stringify(schedule.labels),
    created_at: schedule.createdAtMs,
    updated_at: schedule.updatedAtMs,
    created_by: schedule.createdBy,
    bound_to: schedule.boundTo && JSON.stringify(schedule.boundTo),
    heartbeat: schedule.heartbeat === undefined ? null : JSON.stringify(schedule.heartbeat),
  };
}

function hasDays({ calendar, except }: Pick<Schedule, 'calendar' | 'except'>): boolean {
  return calendar !== null || except.length > 0;
}

function toState(row: ScheduleStateRow): ScheduleState {
  return {
    sinceMs: row.since_at,
    settledAtMs: row.settled_at,
    idleSinceMs: row.idle_since_at,
    held: row.held === null ? null : row.held === 1,
    notBeforeMs: row.not_before,
    lastFire: row.last_fire === null ? null : JSON.parse(row.last_fire),
    lastError: row.last_error === null ? null : JSON.parse(row.last_error),
    jobId: row.job_id,
  };
}
