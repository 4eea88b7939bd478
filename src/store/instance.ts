// Remembers two facts about the host: its time zone when the instance was made, and the last boot that was seen.

import type { Database } from './database.ts';

export type InstanceStore = ReturnType<typeof createInstanceStore>;

type SeenBoot = { readonly id: string; readonly seenAtMs: number };

export function createInstanceStore(db: Database) {
  const find = (name: 'timezone' | 'boot') =>
    db.read.selectFrom('instance').select('value').where('name', '=', name).executeTakeFirst();
  return {
    /** The time zone of schedules that name no zone. It is the zone of the host when the instance was made. */
    timezone: async (): Promise<string> => (await find('timezone'))?.value ?? 'UTC',
    /** When the instance first saw this boot of the host; `nowMs` if it had not seen it yet. */
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
