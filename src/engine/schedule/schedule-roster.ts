// Which schedules there are: those of the catalogue as it stands, and those made through the API; and the state of each,
// also of those that are gone. What it knows is what the database holds.

import type { Catalog } from '../../catalog/catalog.ts';
import { invariant } from '../../domain/problem.ts';
import type { Schedule, ScheduleState } from '../../domain/schedule.ts';
import type { Clock } from '../../lib/clock.ts';
import { parseCron } from '../../lib/cron.ts';
import type { Transaction } from '../../store/database.ts';
import type { Store } from '../../store/open.ts';
import type { StoredSchedule } from '../../store/schedules.ts';
import type { Tracked } from './schedule-due.ts';

export type Roster = {
  /** False until the database and the catalogue have been read. */
  readonly isReady: boolean;
  readonly schedules: () => IterableIterator<Schedule>;
  readonly find: (id: string) => Schedule | undefined;
  readonly stateOf: (id: string) => ScheduleState | undefined;
  /** Those that are enabled. */
  readonly active: () => IterableIterator<Tracked>;
  /** Reads the database once, and the catalogue whenever it has changed. */
  readonly refresh: () => Promise<void>;
  readonly put: (schedule: StoredSchedule) => Promise<void>;
  readonly remove: (id: string) => Promise<void>;
};

const keptMs = 30 * 86_400_000;

export function createRoster(o: {
  readonly store: Store;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly defaultTenant: string;
}): Roster {
  const { store, catalog, clock } = o;
  const known = new Map<string, Schedule>();
  const tracked = new Map<string, Tracked>();
  let resting = new Map<string, ScheduleState>();
  let isLoaded = false;
  let generation: number | undefined;

  const stateOf = (id: string): ScheduleState | undefined => tracked.get(id)?.state ?? resting.get(id);

  async function load(): Promise<void> {
    const [stored, states] = await Promise.all([store.schedules.all(), store.schedules.states()]);
    for (const schedule of stored) known.set(schedule.id, schedule);
    resting = states;
    isLoaded = true;
  }

  /** Schedules of the catalogue that are new, changed or gone, in one transaction with what that does to their states. */
  async function readCatalog(): Promise<void> {
    const seen = catalog.generation;
    const isFirst = generation === undefined;
    const found = new Map(schedulesOf(catalog, o.defaultTenant).map((schedule) => [schedule.id, schedule]));
    const stays = (schedule: Schedule) => schedule.source === 'api' || found.has(schedule.id);
    const wanted = [...[...known.values()].filter(({ source }) => source === 'api'), ...found.values()];
    const gone = [...known.values()].filter((schedule) => !stays(schedule)).map(({ id }) => id);
    const goneBefore = isFirst ? [...resting.keys()].filter((id) => !found.has(id) && !known.has(id)) : [];
    await change(wanted, [...gone, ...goneBefore]);
    for (const id of gone) known.delete(id);
    for (const [id, schedule] of found) known.set(id, schedule);
    if (isFirst) await store.db.transact((tx) => store.schedules.forget(tx, goneBefore, clock.now() - keptMs));
    generation = seen;
  }

  /** Begins what is enabled from now on, lets rest what is not any more. */
  async function change(
    wanted: readonly Schedule[],
    gone: readonly string[],
    o: { readonly restart?: boolean; readonly write?: (tx: Transaction) => Promise<void> } = {},
  ): Promise<void> {
    const atMs = clock.now();
    const begins = wanted.filter(({ id, enabled }) => enabled && (stateOf(id)?.idleSinceMs !== null || o.restart));
    const rests = [...wanted.filter(({ enabled }) => !enabled).map(({ id }) => id), ...gone].filter((id) => {
      const state = stateOf(id);
      return state !== undefined && state.idleSinceMs === null;
    });
    if (o.write || begins.length + rests.length > 0) {
      await store.db.transact(async (tx) => {
        await o.write?.(tx);
        for (const { id } of begins) await store.schedules.begin(tx, id, atMs);
        for (const id of rests) await store.schedules.rest(tx, id, atMs);
      });
    }
    for (const id of rests) {
      const state = stateOf(id);
      tracked.delete(id);
      if (state) resting.set(id, { ...state, idleSinceMs: atMs });
    }
    const begun = new Set(begins.map(({ id }) => id));
    for (const schedule of wanted) if (schedule.enabled) track(schedule, begun.has(schedule.id) ? atMs : undefined);
  }

  function track(schedule: Schedule, sinceMs: number | undefined): void {
    const { id } = schedule;
    const before = stateOf(id) ?? blank;
    const state = sinceMs === undefined ? before : { ...before, sinceMs, idleSinceMs: null };
    resting.delete(id);
    const own = tracked.get(id);
    const isSame = own?.schedule.cron === schedule.cron && own.schedule.timezone === schedule.timezone;
    const times = isSame ? own.times : parseCron(schedule.cron, schedule.timezone);
    invariant('next' in times, 'a schedule was checked before it came here');
    // Work that is under way goes on with the same object, so nothing it finds out is lost.
    if (own) Object.assign(own, { schedule, times, state, due: undefined, kept: isSame ? own.kept : undefined });
    else tracked.set(id, { schedule, times, state });
  }

  return {
    get isReady() {
      return generation !== undefined;
    },
    schedules: () => known.values(),
    find: (id) => known.get(id),
    stateOf,
    active: () => tracked.values(),
    async refresh() {
      if (!isLoaded) await load();
      if (catalog.isReady && catalog.generation !== generation) await readCatalog();
    },
    async put(schedule) {
      const before = known.get(schedule.id);
      await change([schedule], [], {
        restart: before?.cron !== schedule.cron || before.timezone !== schedule.timezone,
        write: (tx) => store.schedules.put(tx, schedule),
      });
      known.set(schedule.id, schedule);
    },
    async remove(id) {
      await store.db.transact((tx) => store.schedules.remove(tx, id));
      known.delete(id);
      tracked.delete(id);
      resting.delete(id);
    },
  };
}

const blank: ScheduleState = { sinceMs: 0, settledAtMs: null, idleSinceMs: null, lastFire: null, lastError: null };

/** One of a disabled job is disabled. */
function schedulesOf(catalog: Catalog, tenant: string): Schedule[] {
  return catalog.entries().flatMap(({ definition: job }) =>
    job.schedules.map(
      (schedule): Schedule => ({
        ...schedule,
        enabled: schedule.enabled && job.enabled,
        name: null,
        jobId: job.id,
        tenant,
        source: 'job',
        createdAtMs: null,
        updatedAtMs: null,
        createdBy: null,
      }),
    ),
  );
}
