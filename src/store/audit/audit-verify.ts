// Checks the chain of the audit log: every row from the first that is kept to the newest.

import { setImmediate as yieldNow } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import { toTimestamp } from '../../lib/clock.ts';
import type { Schema } from '../schema.ts';
import { hashOf } from './audit-chain.ts';

export type AuditVerdict = {
  /** Rows whose hashes are right. */
  readonly rows: number;
  readonly first: { readonly id: number; readonly at: string } | null;
  /** To be noted elsewhere: who can write the file can make another chain, and not one that ends so. */
  readonly last: { readonly id: number; readonly at: string; readonly hash: string } | null;
  /** Retention removed the rows up to this one, and its row says with which hash; null where it removed none. */
  readonly removedThrough: number | null;
  /** The first row where the chain breaks. */
  readonly broken: { readonly id: number; readonly why: string } | null;
};

const sliceRows = 1_000;

export async function verifyAudit(db: Kysely<Schema>): Promise<AuditVerdict> {
  const start = await db.selectFrom('audit').select(['id', 'at']).orderBy('id').limit(1).executeTakeFirst();
  const counted = await countedRows(db);
  const none = { rows: 0, first: null, last: null, removedThrough: null };
  if (!start) return { ...none, broken: counted > 0 ? { id: 1, why: 'all rows are missing' } : null };
  const first = { id: start.id, at: toTimestamp(start.at) };
  const anchor = start.id === 1 ? { through: 0, hash: '' } : await anchorOf(db);
  const removedThrough = start.id === 1 ? null : start.id - 1;
  if (anchor?.through !== start.id - 1) {
    const why = `the rows before it are gone, and retention did not remove them`;
    return { ...none, first, removedThrough, broken: { id: start.id, why } };
  }
  let previous = { id: anchor.through, hash: anchor.hash };
  let last: AuditVerdict['last'] = null;
  let rows = 0;
  const found = (broken: AuditVerdict['broken']): AuditVerdict => ({ rows, first, last, removedThrough, broken });
  for (;;) {
    const slice = await db
      .selectFrom('audit')
      .selectAll()
      .where('id', '>', previous.id)
      .orderBy('id')
      .limit(sliceRows)
      .execute();
    for (const row of slice) {
      if (row.id !== previous.id + 1) return found({ id: previous.id + 1, why: 'it is missing' });
      if (hashOf(previous.hash, row) !== row.hash) {
        return found({ id: row.id, why: 'its hash does not fit it and the row before' });
      }
      previous = row;
      last = { id: row.id, at: toTimestamp(row.at), hash: row.hash };
      rows += 1;
    }
    if (slice.length < sliceRows) break;
    await yieldNow();
  }
  if (counted > rows) return found({ id: previous.id + 1, why: `${counted - rows} rows are missing at the end` });
  return found(null);
}

/** A server may be writing meanwhile: those that come after this are checked and not counted. */
async function countedRows(db: Kysely<Schema>): Promise<number> {
  const { total } = await db
    .selectFrom('audit_counts')
    .select((eb) => eb.fn.sum<number | string | null>('count').as('total'))
    .executeTakeFirstOrThrow();
  return Number(total ?? 0);
}

/** What the newest row of retention says of the last one that it removed. */
async function anchorOf(db: Kysely<Schema>): Promise<{ through: number; hash: string } | undefined> {
  const row = await db
    .selectFrom('audit')
    .select('detail')
    .where('action', '=', 'audit.expire')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (row?.detail == null) return undefined;
  try {
    return JSON.parse(row.detail);
  } catch {
    // Its own hash says so, too.
    return undefined;
  }
}
