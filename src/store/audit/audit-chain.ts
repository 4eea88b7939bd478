// The hash chain of the audit log. Entries get their numbers and hashes in the order in which they are committed.

import { hash } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { NewAuditEntry } from '../../domain/audit.ts';
import { prepareQuery } from '../prepared-query.ts';
import type { AuditCountRow, AuditRow, Schema } from '../schema.ts';

export type Audited = { readonly entry: NewAuditEntry; readonly atMs: number };

/** What the next entry needs to know about the newest one. */
export type AuditHead = Pick<AuditRow, 'id' | 'at' | 'hash'>;

const beginning: AuditHead = { id: 0, at: 0, hash: '' };

export function addToChain(head: AuditHead, audited: readonly Audited[]): AuditRow[] {
  let previous = head;
  return audited.map(({ entry, atMs }) => {
    const row = toRow(entry, previous.id + 1, Math.max(atMs, previous.at));
    const chained = { ...row, hash: hashOf(previous.hash, row) };
    previous = chained;
    return chained;
  });
}

/** Returns the SHA-256, in hexadecimal, of the previous hash followed by this entry as a JSON array. */
export function hashOf(previous: string, row: Omit<AuditRow, 'hash'>): string {
  const { id, at, actor, tenant, action, result, object_kind, object_id, origin, request_id, reason, detail } = row;
  const values = [id, at, actor, tenant, action, result, object_kind, object_id, origin, request_id, reason, detail];
  return hash('sha256', previous + JSON.stringify(values));
}

const insertRow = prepareQuery((db, row: AuditRow) => db.insertInto('audit').values(row));
const addToCount = prepareQuery((db, row: AuditCountRow) =>
  db
    .insertInto('audit_counts')
    .values(row)
    .onConflict((conflict) =>
      conflict
        .columns(['tenant', 'actor', 'action', 'result'])
        .doUpdateSet((eb) => ({ count: eb('audit_counts.count', '+', eb.ref('excluded.count')) })),
    ),
);

/** Inserts the entries of one commit, and updates each counter once for all of them. */
export async function insertAuditEntries(db: Kysely<Schema>, rows: readonly AuditRow[]): Promise<void> {
  if (rows.length === 0) return;
  const kinds = new Map<string, AuditCountRow>();
  for (const row of rows) {
    await insertRow(db, row);
    const { tenant, actor, action, result } = row;
    const key = `${action} ${result} ${tenant} ${actor}`;
    const kind = kinds.get(key);
    if (kind) kind.count += 1;
    else kinds.set(key, { tenant, actor, action, result, count: 1 });
  }
  for (const kind of kinds.values()) await addToCount(db, kind);
}

export async function readAuditHead(db: Kysely<Schema>): Promise<AuditHead> {
  const last = await db
    .selectFrom('audit')
    .select(['id', 'at', 'hash'])
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return last ?? beginning;
}

function toRow(entry: NewAuditEntry, id: number, at: number): Omit<AuditRow, 'hash'> {
  const { actor, tenant, action, result, object, from, requestId, reason, detail } = entry;
  return {
    id,
    at,
    actor,
    tenant,
    action,
    result,
    object_kind: object?.kind ?? null,
    object_id: object?.id ?? null,
    origin: from,
    request_id: requestId,
    reason,
    detail: detail === null ? null : JSON.stringify(detail),
  };
}
