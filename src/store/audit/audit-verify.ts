// Verifies the hash chain of the audit log, from the oldest entry to the newest.

import { setImmediate as yieldNow } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import { toTimestamp } from '../../lib/clock.ts';
import type { Schema } from '../schema.ts';
import { hashOf } from './audit-chain.ts';

export type AuditVerdict = {
  /** The number of entries with the right hash. */
  readonly rows: number;
  readonly first: { readonly id: number; readonly at: string } | null;
  /**
   * The newest entry. Its hash should be noted in another place. A person who can write to the database can forge the
   * chain, but cannot make it end in a hash that was noted before.
   */
  readonly last: { readonly id: number; readonly at: string; readonly hash: string } | null;
  /**
   * Retention has removed the entries up to this id, and recorded their last hash in an entry of its own. null if it
   * has removed nothing.
   */
  readonly removedThrough: number | null;
  /** The entry at which the chain is broken. */
  readonly broken: { readonly id: number; readonly why: string } | null;
};

const sliceRows = 1_000;

export async function verifyAudit(db: Kysely<Schema>): Promise<AuditVerdict> {
  const start = await db.selectFrom('audit').select(['id', 'at']).orderBy('id').limit(1).executeTakeFirst();
  const counted = await countedRows(db);
  const none = { rows: 0, first: null, last: null, removedThrough: null };
  if (!start) return { ...none, broken: counted > 0 ? { id: 1, why: 'all entries are missing' } : null };
  const first = { id: start.id, at: toTimestamp(start.at) };
  const anchor = start.id === 1 ? { through: 0, hash: '' } : await anchorOf(db);
  const removedThrough = start.id === 1 ? null : start.id - 1;
  if (anchor?.through !== start.id - 1) {
    const why = 'the entries before it are missing, and retention did not remove them';
    return { ...none, first, broken: { id: start.id, why } };
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
        return found({ id: row.id, why: 'its hash does not match its content and the entry before it' });
      }
      previous = row;
      last = { id: row.id, at: toTimestamp(row.at), hash: row.hash };
      rows += 1;
    }
    if (slice.length < sliceRows) break;
    await yieldNow();
  }
  if (counted > rows) return found({ id: previous.id + 1, why: missingAtEnd(counted - rows) });
  return found(null);
}

function missingAtEnd(count: number): string {
  return count === 1 ? 'it was the last one, and is missing' : `it and the ${count - 1} after it are missing`;
}

/** How many entries there are, as the counters say. Entries that a server adds later are verified but not counted. */
async function countedRows(db: Kysely<Schema>): Promise<number> {
  const { total } = await db
    .selectFrom('audit_counts')
    .select((eb) => eb.fn.sum<number | string | null>('count').as('total'))
    .executeTakeFirstOrThrow();
  return Number(total ?? 0);
}

/** Returns the id and hash of the last removed entry. The newest `audit.expire` entry contains them. */
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
    // If the detail is not JSON, the hash of this entry is wrong, too, so the chain counts as broken.
    return undefined;
  }
}
