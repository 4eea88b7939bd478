// The last deliveries of each webhook, and the keys of those that started runs, so that a delivery that comes again
// starts no second one (ADR 0066).

import type { Database, Transaction } from './database.ts';
import type { DeliveryRow } from './schema.ts';

/** How many deliveries of a webhook are kept. */
const mostKept = 100;

export type WebhookStore = {
  /**
   * Removes the oldest deliveries of the webhook if there are more than 100. A delivery without a run whose body came
   * before with the same result is only counted there, with the problem that it had this time.
   */
  readonly addDelivery: (tx: Transaction, row: DeliveryRow) => Promise<void>;
  /** Counts a duplicate of the delivery that started the run. */
  readonly addRepeat: (tx: Transaction, webhookId: string, runId: string) => Promise<void>;
  /** Newest first, at most `limit`. */
  readonly deliveries: (webhookId: string, limit?: number) => Promise<readonly DeliveryRow[]>;
  readonly delivery: (webhookId: string, id: string) => Promise<DeliveryRow | undefined>;
  /** @returns how many were removed, at most `limit` */
  readonly removeDeliveries: (beforeMs: number, limit: number) => Promise<number>;
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
    ...createDeliveries({ read, transact }),

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

type Deliveries = Pick<WebhookStore, 'addDelivery' | 'addRepeat' | 'deliveries' | 'delivery' | 'removeDeliveries'>;

function createDeliveries({ read, transact }: Pick<Database, 'read' | 'transact'>): Deliveries {
  return {
    async addDelivery(tx, row) {
      await tx.db
        .insertInto('deliveries')
        .values(row)
        .onConflict((conflict) =>
          conflict
            .columns(['webhook_id', 'body_hash', 'result'])
            .where('run_id', 'is', null)
            .doUpdateSet((eb) => ({
              repeats: eb('deliveries.repeats', '+', 1),
              problem: row.problem,
              detail: row.detail,
            })),
        )
        .execute();
      const oldest = tx.db
        .selectFrom('deliveries')
        .select('id')
        .where('webhook_id', '=', row.webhook_id)
        .orderBy('id', 'desc')
        .limit(1)
        .offset(mostKept);
      await tx.db.deleteFrom('deliveries').where('webhook_id', '=', row.webhook_id).where('id', '<=', oldest).execute();
    },

    async addRepeat(tx, webhookId, runId) {
      await tx.db
        .updateTable('deliveries')
        .set((eb) => ({ repeats: eb('repeats', '+', 1) }))
        .where('webhook_id', '=', webhookId)
        .where('run_id', '=', runId)
        .execute();
    },

    deliveries: (webhookId, limit = mostKept) =>
      read
        .selectFrom('deliveries')
        .selectAll()
        .where('webhook_id', '=', webhookId)
        .orderBy('id', 'desc')
        .limit(limit)
        .execute(),

    delivery: (webhookId, id) =>
      read
        .selectFrom('deliveries')
        .selectAll()
        .where('webhook_id', '=', webhookId)
        .where('id', '=', id)
        .executeTakeFirst(),

    async removeDeliveries(beforeMs, limit) {
      const old = await read.selectFrom('deliveries').select('id').where('at', '<', beforeMs).limit(limit).execute();
      if (old.length === 0) return 0;
      const ids = old.map(({ id }) => id);
      await transact((tx) => tx.db.deleteFrom('deliveries').where('id', 'in', ids).execute());
      return old.length;
    },
  };
}
