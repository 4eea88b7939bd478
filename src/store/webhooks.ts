// The keys of deliveries that started runs, so that a delivery that comes again starts no second one (ADR 0066).

import type { Database, Transaction } from './database.ts';

export type WebhookStore = {
  /** The run that a delivery with one of the keys has started. */
  readonly startedBy: (webhookId: string, keys: readonly string[], nowMs: number) => Promise<string | undefined>;
  /** False when another delivery holds the key. */
  readonly addKey: (
    tx: Transaction,
    row: {
      readonly webhookId: string;
      readonly key: string;
      readonly runId: string;
      readonly nowMs: number;
      readonly forMs: number;
    },
  ) => Promise<boolean>;
  /** @returns how many were removed, at most `limit` */
  readonly removeExpiredKeys: (nowMs: number, limit: number) => Promise<number>;
};

export function createWebhookStore({ read, transact }: Database): WebhookStore {
  return {
    async startedBy(webhookId, keys, nowMs) {
      const row = await read
        .selectFrom('delivery_keys')
        .select('run_id')
        .where('webhook_id', '=', webhookId)
        .where('key', 'in', keys)
        .where('expires_at', '>', nowMs)
        .limit(1)
        .executeTakeFirst();
      return row?.run_id;
    },

    async addKey(tx, { webhookId, key, runId, nowMs, forMs }) {
      const row = { webhook_id: webhookId, key, run_id: runId, expires_at: nowMs + forMs };
      const added = await tx.db
        .insertInto('delivery_keys')
        .values(row)
        .onConflict((conflict) =>
          conflict.columns(['webhook_id', 'key']).doUpdateSet(row).where('delivery_keys.expires_at', '<=', nowMs),
        )
        .returning('run_id')
        .executeTakeFirst();
      return added !== undefined;
    },

    async removeExpiredKeys(nowMs, limit) {
      const old = await read
        .selectFrom('delivery_keys')
        .select(['webhook_id', 'key'])
        .where('expires_at', '<=', nowMs)
        .orderBy('expires_at')
        .limit(limit)
        .execute();
      if (old.length === 0) return 0;
      await transact(async (tx) => {
        for (const one of old) {
          await tx.db
            .deleteFrom('delivery_keys')
            .where((eb) => eb.and(one))
            .where('expires_at', '<=', nowMs)
            .execute();
        }
      });
      return old.length;
    },
  };
}
