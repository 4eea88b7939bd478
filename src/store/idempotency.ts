// The answers to requests with an Idempotency-Key. They are stored for a day, by tenant.

import type { Database, Transaction } from './database.ts';

type StoredAnswer = { readonly status: number; readonly body: string };

export type IdempotencyStore = ReturnType<typeof createIdempotencyStore>;

const keptMs = 24 * 3_600_000;

export function createIdempotencyStore({ read }: Database) {
  return {
    /**
     * Returns the request that holds the key, unless it was made before `sinceMs`. `answer` is null if the request was
     * not answered.
     */
    async find(
      tenant: string,
      key: string,
      sinceMs: number,
    ): Promise<{ bodyHash: string; runId: string; answer: StoredAnswer | null } | undefined> {
      const row = await read
        .selectFrom('idempotency')
        .selectAll()
        .where((eb) => eb.and({ tenant, key }))
        .where('created_at', '>=', sinceMs)
        .executeTakeFirst();
      if (!row) return undefined;
      const { answer_status: status, answer_body: body } = row;
      const answer = status === null || body === null ? null : { status, body };
      return { bodyHash: row.body_hash, runId: row.run_id, answer };
    },

    /**
     * Stores a request with its key. The request holds the key for a day. Returns false if another request already
     * holds it.
     */
    async add(
      tx: Transaction,
      request: {
        readonly tenant: string;
        readonly key: string;
        readonly bodyHash: string;
        readonly runId: string;
        readonly answer: StoredAnswer | null;
        readonly createdAtMs: number;
      },
    ): Promise<boolean> {
      const { tenant, key, bodyHash, runId, answer, createdAtMs } = request;
      const row = {
        tenant,
        key,
        body_hash: bodyHash,
        run_id: runId,
        created_at: createdAtMs,
        answer_status: answer?.status ?? null,
        answer_body: answer?.body ?? null,
      };
      const added = await tx.db
        .insertInto('idempotency')
        .values(row)
        .onConflict((conflict) =>
          conflict
            .columns(['tenant', 'key'])
            .doUpdateSet(row)
            .where('idempotency.created_at', '<', createdAtMs - keptMs),
        )
        .returning('run_id')
        .executeTakeFirst();
      return added !== undefined;
    },

    async answer(tx: Transaction, tenant: string, key: string, { status, body }: StoredAnswer): Promise<void> {
      await tx.db
        .updateTable('idempotency')
        .set({ answer_status: status, answer_body: body })
        .where((eb) => eb.and({ tenant, key }))
        .execute();
    },
  };
}
