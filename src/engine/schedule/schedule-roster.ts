// The list of schedules: those in job files, as the catalogue has them now, and those made through the API. Everything
// it knows is in the database.

import { type Catalog, entryOrNone } from '../../catalog/catalog.ts';
import { scheduleRefusal } from '../../domain/policy.ts';
import type { Problem } from '../../domain/problem.ts';
import type { Schedule } from '../../domain/schedule.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Transaction } from '../../store/database.ts';
import type { Store } from '../../store/open.ts';
import type { StoredSchedule } from '../../store/schedules.ts';
import { openStarts, type Starts, timesOf } from './schedule-starts.ts';
import { createTracking, type Tracking } from './schedule-tracking.ts';

/** How long the state of a schedule that is gone is kept. */
const keptMs = 30 * 86_400_000;

type Change = {
  readonly atMs: number;
  readonly restart?: boolean;
  readonly write?: (tx: Transaction) => Promise<void>;
};

export type Roster = ReturnType<typeof createRoster>;

export function createRoster(o: {
  readonly store: Store;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly defaultTenant: string;
  /** The zone of schedules without a time zone. */
  readonly timezone: string;
}) {
  const { store, catalog, clock } = o;
  const known = new Map<string, Schedule>();
  const tracking = createTracking((schedule) => timesOf(schedule, starts), denialsIn(catalog));
  let starts: Starts = new Map();
  let isLoaded = false;
  let generation: number | undefined;

  /** Takes over new, changed and removed schedules from the catalogue. Their states change in one transaction. */
  async function readCatalog(): Promise<void> {
    const seen = catalog.generation;
    const isFirst = generation === undefined;
    const atMs = clock.now();
    if (isFirst) starts = await openStarts(store, atMs);
    const found = new Map(schedulesOf(catalog, o).map((schedule) => [schedule.id, schedule]));
    const { api = [], job = [] } = Object.groupBy(known.values(), ({ source }) => source);
    const gone = idsOf(job).filter((id) => !found.has(id));
    const goneBefore = isFirst ? tracking.restingIds().filter((id) => !found.has(id) && !known.has(id)) : [];
    await change([...api, ...found.values()], [...gone, ...goneBefore], { atMs });
    for (const id of gone) known.delete(id);
    for (const [id, schedule] of found) known.set(id, schedule);
    if (isFirst) await store.db.transact((tx) => store.schedules.forget(tx, goneBefore, clock.now() - keptMs));
    generation = seen;
  }

  /** Starts the schedules that fire from now on, and rests those that no longer do. */
  async function change(wanted: readonly Schedule[], gone: readonly string[], o: Change): Promise<void> {
    const { atMs, restart, write } = o;
    const { firing = [], idle = [] } = Object.groupBy(wanted, (one) => (tracking.mayFire(one) ? 'firing' : 'idle'));
    const begins = new Set(idsOf(firing).filter((id) => !tracking.isActive(id) || restart));
    const rests = [...idsOf(idle), ...gone].filter(tracking.isActive);
    if (write || begins.size + rests.length > 0) {
      await store.db.transact(async (tx) => {
        await write?.(tx);
        for (const id of begins) await store.schedules.begin(tx, id, atMs);
        for (const id of rests) await store.schedules.rest(tx, id, atMs);
      });
    }
    for (const id of rests) tracking.rest(id, { idleSinceMs: atMs });
    const begun = { sinceMs: atMs, idleSinceMs: null };
    for (const schedule of firing) tracking.track(schedule, begins.has(schedule.id) ? begun : {});
  }

  return {
    /** False until the database and the catalogue have been read. */
    get isReady() {
      return generation !== undefined;
    },
    schedules: () => known.values(),
    find: (id: string) => known.get(id),
    tracking,
    /** Reads the database once, and the catalogue whenever it has changed. */
    async refresh(): Promise<void> {
      if (!isLoaded) isLoaded = await loadSchedules(store, known, tracking);
      if (catalog.isReady && catalog.generation !== generation) await readCatalog();
    },
    async put(schedule: StoredSchedule): Promise<void> {
      const before = known.get(schedule.id);
      await change([schedule], [], {
        atMs: clock.now(),
        restart: before?.cron !== schedule.cron || before.timezone !== schedule.timezone,
        write: (tx) => store.schedules.put(tx, schedule),
      });
      known.set(schedule.id, schedule);
    },
    async remove(id: string): Promise<void> {
      await store.db.transact((tx) => store.schedules.remove(tx, id));
      known.delete(id);
      tracking.forget(id);
    },
  };
}

/** Says why the job of a schedule may not have one. */
function denialsIn(catalog: Catalog): (schedule: Schedule) => Problem | undefined {
  return ({ jobId }) => {
    const entry = entryOrNone(jobId, catalog);
    return entry && scheduleRefusal(jobId, entry.source);
  };
}

async function loadSchedules({ schedules }: Store, known: Map<string, Schedule>, tracking: Tracking): Promise<true> {
  const [stored, states] = await Promise.all([schedules.all(), schedules.states()]);
  for (const schedule of stored) known.set(schedule.id, schedule);
  tracking.load(states);
  return true;
}

/** The schedules of a disabled job are disabled as well. */
function schedulesOf(
  catalog: Catalog,
  { defaultTenant: tenant, timezone }: { readonly defaultTenant: string; readonly timezone: string },
): Schedule[] {
  return catalog.entries().flatMap(({ definition: job }) =>
    job.schedules.map(
      (schedule): Schedule => ({
        ...schedule,
        timezone: schedule.timezone ?? timezone,
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

function idsOf(schedules: readonly Schedule[]): string[] {
  return schedules.map(({ id }) => id);
}
