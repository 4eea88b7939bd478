// The audit log: writing by itself, reading, and what retention gives up. What belongs to a change is written by
// `record` of its transaction.

import { type NewAuditEntry, ownEntry } from '../../domain/audit.ts';
import type { Database, Transaction } from '../database.ts';
import type { AuditRow } from '../schema.ts';
import { type AuditEntries, type AuditListQuery, type AuditPage, listAudit, readAudit } from './audit-list.ts';

/** Enters a change of the object with the transaction that makes it. */
export type RecordChange = (tx: Transaction, object: { readonly id: string; readonly tenant: string }) => void;

export type AuditStore = {
  /** Resolves once the row is durable. @throws Problem not-ready */
  readonly record: (entry: NewAuditEntry) => Promise<void>;
  /** @throws Problem validation-error when `cursor` is none */
  readonly list: (query: AuditListQuery) => Promise<AuditPage>;
  /** Without a total, for who reads on. @throws Problem validation-error when `cursor` is none */
  readonly read: (query: AuditListQuery) => Promise<AuditEntries>;
  /** When the oldest row was written. */
  readonly oldestAtMs: () => Promise<number | null>;
  /** Removes the oldest, up to `limit`, as far as they are from before `beforeMs`. @returns how many */
  readonly removeBefore: (beforeMs: number, limit: number) => Promise<number>;
  readonly countBefore: (beforeMs: number) => Promise<number>;
};

export function createAuditStore(database: Database): AuditStore {
  const { read, transact } = database;

  async function oldestAtMs(): Promise<number | null> {
    const row = await read.selectFrom('audit').select('at').orderBy('id').limit(1).executeTakeFirst();
    return row?.at ?? null;
  }

  return {
    record: (entry) => transact(async (tx) => tx.record(entry)),
    list: (query) => listAudit(read, query),
    read: (query) => readAudit(read, query),
    oldestAtMs,

    async removeBefore(beforeMs, limit) {
      const rows = await read
        .selectFrom('audit')
        .select(['id', 'at', 'hash', 'tenant', 'actor', 'action', 'result'])
        .orderBy('id')
        .limit(limit)
        .execute();
      const firstKept = rows.findIndex(({ at }) => at >= beforeMs);
      const old = firstKept < 0 ? rows : rows.slice(0, firstKept);
      const last = old.at(-1);
      if (!last) return 0;
      await transact(async (tx) => {
        await giveUp(tx, last.id + 1);
        await tx.db.deleteFrom('audit').where('id', '<=', last.id).execute();
        await uncount(tx, old);
        const object = { kind: 'instance', id: null } as const;
        const detail = { through: last.id, count: old.length, hash: last.hash };
        tx.record(ownEntry('system:retention', { action: 'audit.expire', object, tenant: '*', detail }));
      });
      return old.length;
    },

    async countBefore(beforeMs) {
      const oldest = await oldestAtMs();
      return oldest === null || oldest >= beforeMs ? 0 : (await listAudit(read, { limit: 1, untilMs: beforeMs })).total;
    },
  };
}

/** The trigger lets go of what is below. */
async function giveUp(tx: Transaction, firstKept: number): Promise<void> {
  await tx.db
    .insertInto('sequences')
    .values({ name: 'audit.kept', next_id: firstKept })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ next_id: firstKept }))
    .execute();
}

type Kind = Pick<AuditRow, 'tenant' | 'actor' | 'action' | 'result'>;

async function uncount(tx: Transaction, rows: readonly Kind[]): Promise<void> {
  const kinds = Map.groupBy(rows, ({ tenant, actor, action, result }) =>
    JSON.stringify([tenant, actor, action, result]),
  );
  for (const ofKind of kinds.values()) {
    const [kind] = ofKind;
    if (!kind) continue;
    await tx.db
      .updateTable('audit_counts')
      .set((eb) => ({ count: eb('count', '-', ofKind.length) }))
      .where('tenant', '=', kind.tenant)
      .where('actor', '=', kind.actor)
      .where('action', '=', kind.action)
      .where('result', '=', kind.result)
      .execute();
  }
  await tx.db.deleteFrom('audit_counts').where('count', '<=', 0).execute();
}
