// Remembers two facts about the host: the time zone it had when the instance was created, and the last boot that the
// instance has seen.

import type { Database } from './database.ts';

export type InstanceStore = ReturnType<typeof createInstanceStore>;

type SeenBoot = { readonly id: string; readonly seenAtMs: number };

export function createInstanceStore(db: Database) {
  const find = (name: 'timezone' | 'boot') =>
    db.read.selectFrom('instance').select('value').where('name', '=', name).executeTakeFirst();
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
      const value = JSON.stringify({ id: bootId, seenAtMs: nowMs } satisfies SeenBoot);
      await db.transact(async (tx) => {
        await tx.db
          .insertInto('instance')
          .values({ name: 'boot', value })
          .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
          .execute();
      });
      return nowMs;
    },
  };
}
