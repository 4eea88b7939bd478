// What an instance keeps of its host: the time zone from when it was made, and the boot that it has seen last.

import type { Database } from './database.ts';

export type InstanceStore = {
  /** The zone of schedules without a time zone: that of the host when the instance was made. */
  readonly timezone: () => Promise<string>;
  /** When this boot of the host was first seen: now, the first time. */
  readonly bootSeenAt: (bootId: string, nowMs: number) => Promise<number>;
};

type SeenBoot = { readonly id: string; readonly seenAtMs: number };

export function createInstanceStore(db: Database): InstanceStore {
  const find = (name: 'timezone' | 'boot') =>
    db.read.selectFrom('instance').select('value').where('name', '=', name).executeTakeFirst();
  return {
    timezone: async () => (await find('timezone'))?.value ?? 'UTC',
    async bootSeenAt(bootId, nowMs) {
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
