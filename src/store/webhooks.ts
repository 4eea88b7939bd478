// Webhooks that were made at run time, the last deliveries of each webhook, and the keys of deliveries that started
// runs. If such a delivery comes again, its key shows that it must not start another run (ADR 0066, ADR 0074).

import { type SqlBool, sql } from 'kysely';
import type { MadeWebhook, WebhookPlace } from '../domain/trigger/webhook.ts';
import type { Database, Transaction } from './database.ts';
import { countRows } from './query-parts.ts';
import type { DeliveryRow, WebhookRow } from './schema.ts';

/** How many deliveries of each webhook are kept. */
const mostKept = 100;

export type WebhookStore = ReturnType<typeof createWebhookStore>;

export function createWebhookStore({ read, transact }: Database) {
  return {
    ...createMade(read),
    ...createDeliveries({ read, transact }),

    /** Returns the run that was started by a delivery with one of the keys. */
    async startedBy(webhookId: string, keys: readonly string[], nowMs: number): Promise<string | undefined> {
      if (keys.length === 0) return undefined;
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

    /** Stores the key. Returns false if another delivery holds it. */
    async addKey(
      tx: Transaction,
      delivery: {
        readonly webhookId: string;
        readonly key: string;
        readonly runId: string;
        readonly nowMs: number;
        readonly forMs: number;
      },
    ): Promise<boolean> {
      const { webhookId, key, runId, nowMs, forMs } = delivery;
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

    /** @returns how many were removed, at most `limit` */
    async removeExpiredKeys(nowMs: number, limit: number): Promise<number> {
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

function createMade(read: Database['read']) {
  return {
    /** Adds the webhook. Returns false if another webhook of the same job and tenant has its name. */
    async add(tx: Transaction, webhook: MadeWebhook): Promise<boolean> {
      const added = await tx.db
        .insertInto('webhooks')
        .values(toRow(webhook))
        .onConflict((conflict) => conflict.doNothing())
        .returning('id')
        .executeTakeFirst();
      return added !== undefined;
    },

    /** Removes the webhook and its deliveries. */
    async remove(tx: Transaction, id: string): Promise<void> {
      await tx.db.deleteFrom('webhooks').where('id', '=', id).execute();
      await tx.db.deleteFrom('deliveries').where('webhook_id', '=', id).execute();
      await tx.db.deleteFrom('delivery_keys').where('webhook_id', '=', id).execute();
    },

    /** Lists webhooks, sorted by job, name and id. `total` also counts the webhooks of other pages. */
    async page(query: {
      readonly tenant: string | undefined;
      readonly jobIds: readonly string[] | undefined;
      readonly after: WebhookPlace | undefined;
      readonly limit: number | undefined;
    }): Promise<{ readonly webhooks: readonly MadeWebhook[]; readonly total: number }> {
      const { tenant, jobIds, after, limit } = query;
      if (jobIds?.length === 0) return { webhooks: [], total: 0 };
      const matching = read
        .selectFrom('webhooks')
        .$if(tenant !== undefined, (query) => query.where('tenant', '=', tenant ?? ''))
        .$if(jobIds !== undefined, (query) => query.where('job_id', 'in', jobIds ?? []));
      const rows = await matching
        .selectAll()
        .$if(after !== undefined, (query) =>
          query.where(sql<SqlBool>`(job_id, name, id) > (${after?.jobId}, ${after?.name}, ${after?.id})`),
        )
        .orderBy('job_id')
        .orderBy('name')
        .orderBy('id')
        .$if(limit !== undefined, (query) => query.limit(limit ?? 0))
        .execute();
      return { webhooks: rows.map(toWebhook), total: await countRows(matching) };
    },

    /** Returns the jobs that have webhooks. Without a tenant, the webhooks of all tenants count. */
    async jobIds(tenant: string | undefined): Promise<readonly string[]> {
      const rows = await read
        .selectFrom('webhooks')
        .select('job_id')
        .distinct()
        .$if(tenant !== undefined, (query) => query.where('tenant', '=', tenant ?? ''))
        .execute();
      return rows.map(({ job_id: jobId }) => jobId);
    },

    async find(id: string): Promise<MadeWebhook | undefined> {
      const row = await read.selectFrom('webhooks').selectAll().where('id', '=', id).executeTakeFirst();
      return row && toWebhook(row);
    },

    async findByToken(tokenHash: string): Promise<MadeWebhook | undefined> {
      const row = await read.selectFrom('webhooks').selectAll().where('token_hash', '=', tokenHash).executeTakeFirst();
      return row && toWebhook(row);
    },

    /** Whether the webhook still exists, as the transaction sees it. */
    async isThere(tx: Transaction, id: string): Promise<boolean> {
      const row = await tx.db.selectFrom('webhooks').select('id').where('id', '=', id).executeTakeFirst();
      return row !== undefined;
    },

    countOf: (tenant: string): Promise<number> => countRows(read.selectFrom('webhooks').where('tenant', '=', tenant)),
  };
}

export async function allMade(read: Database['read']): Promise<readonly MadeWebhook[]> {
  return (await read.selectFrom('webhooks').selectAll().orderBy('id').execute()).map(toWebhook);
}

function toRow(webhook: MadeWebhook): WebhookRow {
  const { id, name, jobId, tenant, tokenHash, scheme, perMinute, createdAtMs, createdBy, boundTo, ...terms } = webhook;
  return {
    id,
    name,
    job_id: jobId,
    tenant,
    token_hash: tokenHash,
    scheme,
    terms: JSON.stringify(terms),
    per_minute: perMinute,
    created_at: createdAtMs,
    created_by: createdBy,
    bound_to: boundTo && JSON.stringify(boundTo),
  };
}

function toWebhook(row: WebhookRow): MadeWebhook {
  return {
    ...JSON.parse(row.terms),
    id: row.id,
    name: row.name,
    jobId: row.job_id,
    tenant: row.tenant,
    tokenHash: row.token_hash,
    scheme: row.scheme,
    perMinute: row.per_minute,
    createdAtMs: row.created_at,
    createdBy: row.created_by,
    boundTo: row.bound_to === null ? null : JSON.parse(row.bound_to),
  };
}

function createDeliveries({ read, transact }: Pick<Database, 'read' | 'transact'>) {
  return {
    /**
     * Adds a delivery. If it started no run, and an earlier delivery without a run had the same body and result,
     * updates the row of the earlier one instead. Keeps only the newest 100 deliveries of a webhook.
     */
    async addDelivery(tx: Transaction, row: DeliveryRow): Promise<void> {
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
      await removeOldest(tx, row.webhook_id);
    },

    /** Counts a duplicate of the delivery that started the run. */
    async addRepeat(tx: Transaction, webhookId: string, runId: string): Promise<void> {
      await tx.db
        .updateTable('deliveries')
        .set((eb) => ({ repeats: eb('repeats', '+', 1) }))
        .where('webhook_id', '=', webhookId)
        .where('run_id', '=', runId)
        .execute();
    },

    /** Lists the deliveries of a webhook, newest first. */
    deliveries: (webhookId: string, limit: number = mostKept): Promise<readonly DeliveryRow[]> =>
      read
        .selectFrom('deliveries')
        .selectAll()
        .where('webhook_id', '=', webhookId)
        .orderBy('id', 'desc')
        .limit(limit)
        .execute(),

    /** Returns the newest delivery of each of the webhooks. */
    lastDeliveries: (webhookIds: readonly string[]): Promise<readonly DeliveryRow[]> =>
      read
        .selectFrom('deliveries')
        .selectAll()
        .where('id', 'in', (query) =>
          query
            .selectFrom('deliveries')
            .select((eb) => eb.fn.max('id').as('id'))
            .where('webhook_id', 'in', webhookIds)
            .groupBy('webhook_id'),
        )
        .execute(),

    delivery: (webhookId: string, id: string): Promise<DeliveryRow | undefined> =>
      read
        .selectFrom('deliveries')
        .selectAll()
        .where('webhook_id', '=', webhookId)
        .where('id', '=', id)
        .executeTakeFirst(),

    /** @returns how many were removed, at most `limit` */
    async removeDeliveries(beforeMs: number, limit: number): Promise<number> {
      const old = await read.selectFrom('deliveries').select('id').where('at', '<', beforeMs).limit(limit).execute();
      if (old.length === 0) return 0;
      const ids = old.map(({ id }) => id);
      await transact((tx) => tx.db.deleteFrom('deliveries').where('id', 'in', ids).execute());
      return old.length;
    },
  };
}

async function removeOldest({ db }: Transaction, webhookId: string): Promise<void> {
  const oldest = db
    .selectFrom('deliveries')
    .select('id')
    .where('webhook_id', '=', webhookId)
    .orderBy('id', 'desc')
    .limit(1)
    .offset(mostKept);
  await db.deleteFrom('deliveries').where('webhook_id', '=', webhookId).where('id', '<=', oldest).execute();
}
