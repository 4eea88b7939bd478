// Remembers facts about the host: the time zone it had when the instance was created, the last boot that the instance
// has seen, and the jumps of its clock that retention does not trust yet.

import type { Database } from './database.ts';

export type InstanceStore = ReturnType<typeof createInstanceStore>;

/** A jump of the clock, and for how long retention still ignores it. */
export type ClockDoubt = { readonly byMs: number; readonly leftMs: number };

type SeenBoot = { readonly id: string; readonly seenAtMs: number };

export function createInstanceStore(db: Database) {
  const find = (name: 'timezone' | 'boot' | 'clock_doubts') =>
    db.read.selectFrom('instance').select('value').where('name', '=', name).executeTakeFirst();

  async function set(name: 'boot' | 'clock_doubts', value: string): Promise<void> {
    await db.transact(async (tx) => {
      await tx.db
        .insertInto('instance')
        .values({ name, value })
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
        .execute();
    });
  }

  return {
    /**
     * Returns the time zone for schedules that name no zone. It is the zone that the host had when the instance was
     * created.
     */
    timezone: async (): Promise<string> => (await find('timezone'))?.value ?? 'UTC',
    /**
     * Returns when the instance saw this boot of the host for the first time. For a new boot, records and returns
     * `nowMs`.
     */
    async bootSeenAt(bootId: string, nowMs: number): Promise<number> {
      const found = await find('boot');
      const last: SeenBoot | undefined = found && JSON.parse(found.value);
      if (last?.id === bootId) return last.seenAtMs;
      await set('boot', JSON.stringify({ id: bootId, seenAtMs: nowMs } satisfies SeenBoot));
      return nowMs;
    },
    async clockDoubts(): Promise<readonly ClockDoubt[]> {
      const found = await find('clock_doubts');
      return found ? JSON.parse(found.value) : [];
    },
    setClockDoubts: (doubts: readonly ClockDoubt[]): Promise<void> => set('clock_doubts', JSON.stringify(doubts)),
  };
}
