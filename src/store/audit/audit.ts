// The audit log: adds single entries, reads the log, and removes old entries. To add the entry of a change, call
// `record` of the transaction that makes the change.

import { type NewAuditEntry, ownEntry } from '../../domain/audit.ts';
import type { Database, Transaction } from '../database.ts';
import { setSequence } from '../journal-rows.ts';
import type { AuditRow } from '../schema.ts';
import { type AuditEntries, type AuditListQuery, type AuditPage, listAudit, readAudit } from './audit-list.ts';
import { type AuditVerdict, verifyAudit } from './audit-verify.ts';

/** Adds the audit entry of a change in the transaction that makes the change. */
export type RecordChange = (tx: Transaction, object: { readonly id: string; readonly tenant: string }) => void;

export type AuditStore = ReturnType<typeof createAuditStore>;

export function createAuditStore(database: Database) {
  const { read, transact } = database;

  async function oldestAtMs(): Promise<number | null> {
    const row = await read.selectFrom('audit').select('at').orderBy('id').limit(1).executeTakeFirst();
    return row?.at ?? null;
  }

  return {
    /** Resolves once the entry is durable. @throws Problem not-ready */
    record: (entry: NewAuditEntry): Promise<void> => transact(async (tx) => tx.record(entry)),
    /** @throws Problem validation-error for a malformed cursor */
    list: (query: AuditListQuery): Promise<AuditPage> => listAudit(read, query),
    /** Reads a page without the total. @throws Problem validation-error for a malformed cursor */
    read: (query: AuditListQuery): Promise<AuditEntries> => readAudit(read, query),
    /** Reads and hashes every entry, and lets other work run every 5 ms. */
    verify: (): Promise<AuditVerdict> => verifyAudit(read),
    /** Returns when the oldest entry was written. */
    oldestAtMs,

    /**
     * Removes entries from before `beforeMs`, the oldest first, and at most `limit`.
     * @returns how many
     */
    async removeBefore(beforeMs: number, limit: number): Promise<number> {
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
        await allowDeletion(tx, last.id + 1);
        await tx.db.deleteFrom('audit').where('id', '<=', last.id).execute();
        await uncount(tx, old);
        const object = { kind: 'instance', id: null } as const;
        const detail = { through: last.id, count: old.length, hash: last.hash };
        tx.record(ownEntry('system:retention', { action: 'audit.expire', object, tenant: '*', detail }));
      });
      return old.length;
    },

    async countBefore(beforeMs: number): Promise<number> {
      const oldest = await oldestAtMs();
      return oldest === null || oldest >= beforeMs ? 0 : (await listAudit(read, { limit: 1, untilMs: beforeMs })).total;
    },
  };
}

/**
 * Allows the deletion of entries with ids below `firstKept`. A trigger in the database refuses to delete any others.
 */
function allowDeletion(tx: Transaction, firstKept: number): Promise<void> {
  return setSequence(tx.db, 'audit.kept', firstKept);
}

type Kind = Pick<AuditRow, 'tenant' | 'actor' | 'action' | 'result'>;

async function uncount(tx: Transaction, rows: readonly Kind[]): Promise<void> {
  const kinds = Map.groupBy(rows, ({ tenant, actor, action, result }) =>
    JSON.stringify([tenant, actor, action, result]),
  );
  for (const ofKind of kinds.values()) {
    const [kind] = ofKind;
    if (!kind) continue;
    const { tenant, actor, action, result } = kind;
    await tx.db
      .updateTable('audit_counts')
      .set((eb) => ({ count: eb('count', '-', ofKind.length) }))
      .where((eb) => eb.and({ tenant, actor, action, result }))
      .execute();
  }
  await tx.db.deleteFrom('audit_counts').where('count', '<=', 0).execute();
}
