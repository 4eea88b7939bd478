// What writes to a PostgreSQL database: one transaction at a time, over all servers, as the store was written for (ADR 0037).

import { setTimeout as delay } from 'node:timers/promises';
import { type ControlledTransaction, type Kysely, sql } from 'kysely';
import type { JournalEntry } from '../../domain/event.ts';
import { Problem } from '../../domain/problem.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { addToChain, insertAuditEntries, readAuditHead } from '../audit/audit-chain.ts';
import { type CommitListener, type Database, DatabaseFailure, type Transaction } from '../database.ts';
import { insertEntries, numberEntries, readNextEventId } from '../journal-rows.ts';
import type { Schema } from '../schema.ts';
import { unwritable } from '../storage-error.ts';
import { openTransaction } from '../transaction.ts';
import { isConflict } from './errors.ts';

type Writer = Pick<Database, 'transact' | 'failure' | 'close'>;
type Parts = {
  readonly writing: Kysely<Schema>;
  readonly read: Kysely<Schema>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onCommit: CommitListener;
};
type Work<T> = (tx: Transaction) => Promise<T>;
type Done<T> = { readonly value: T; readonly entries: readonly JournalEntry[] };

/** Held by the transaction that writes, from its first statement to its end. */
const writerLock = 0x666c_7764;
const mostTries = 10;
const probeMs = 1_000;
/** How long a COMMIT without an answer is asked about, and how often. */
const commitAnswerMs = 10_000;
const askAgainMs = 100;

export function openPostgresWriter(o: Parts): Writer {
  const { log } = o;
  let isClosed = false;
  let failure: string | null = null;
  let probe: NodeJS.Timeout | undefined;
  /** Transactions of this process wait here, in order, and hold no connection meanwhile. */
  let last: Promise<unknown> = Promise.resolve();

  function transact<T>(work: Work<T>): Promise<T> {
    if (isClosed) return Promise.reject(new Problem('not-ready', 'The server is stopping.'));
    const result = last.then(() => write(work));
    last = result.catch(() => undefined);
    return result;
  }

  async function write<T>(work: Work<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        const { value, entries } = await attempt(o, work);
        if (failure !== null) log.info('the database can be written again');
        failure = null;
        announce(entries);
        return value;
      } catch (error) {
        if (isConflict(error) && tries < mostTries) continue;
        throw error instanceof DatabaseFailure ? fail(error) : error;
      }
    }
  }

  function announce(entries: readonly JournalEntry[]): void {
    if (entries.length === 0) return;
    try {
      o.onCommit(entries);
    } catch (error) {
      log.error({ err: error }, 'a listener of the journal failed');
    }
  }

  function fail(error: DatabaseFailure): Problem {
    const found = error.isDamage
      ? `the database is damaged (${error.message}): stop the server and restore a backup`
      : `the database cannot be written: ${error.message}`;
    if (found !== failure) log.error({ err: error }, 'a commit failed');
    failure = found;
    probe ??= setTimeout(() => {
      probe = undefined;
      transact(async () => undefined).catch(() => undefined);
    }, probeMs).unref();
    return unwritable(error.message);
  }

  return {
    transact,
    failure: () => failure,
    async close() {
      isClosed = true;
      clearTimeout(probe);
      await last;
    },
  };
}

async function attempt<T>({ writing, read, clock }: Parts, work: Work<T>): Promise<Done<T>> {
  const db = await writing.startTransaction().setIsolationLevel('read committed').execute();
  try {
    const xid = await lock(db);
    const done = await fill(db, clock, work);
    await commit(db, xid, read);
    return done;
  } catch (error) {
    await giveUp(db);
    throw error;
  }
}

/**
 * Each later statement sees all that was committed before the lock was got. At a higher isolation level it would not: there the
 * snapshot of the whole transaction is taken before this statement waits.
 * @returns the transaction's id
 */
async function lock(db: Kysely<Schema>): Promise<string> {
  const { rows } = await sql<{ xid: string }>`
    select pg_advisory_xact_lock(${sql.lit(writerLock)}), pg_current_xact_id()::text as xid`.execute(db);
  return rows[0]?.xid ?? '';
}

async function fill<T>(db: Kysely<Schema>, clock: Clock, work: Work<T>): Promise<Done<T>> {
  // Before the work, which may remove the newest entry there is.
  const auditHead = await readAuditHead(db);
  const unit = openTransaction(db, clock);
  let value: T;
  try {
    value = await work(unit.tx);
  } finally {
    unit.end();
  }
  const entries = unit.emitted.length > 0 ? numberEntries(unit.emitted, await readNextEventId(db)) : [];
  await insertEntries(db, entries);
  await insertAuditEntries(db, addToChain(auditHead, unit.audited));
  return { value, entries };
}

async function commit(db: ControlledTransaction<Schema>, xid: string, read: Kysely<Schema>): Promise<void> {
  try {
    await db.commit().execute();
  } catch (error) {
    await giveUp(db);
    if (!(error instanceof DatabaseFailure) || !(await hasCommitted(read, xid))) throw error;
  }
}

/** Whether a COMMIT took effect whose answer was lost with the connection. */
async function hasCommitted(read: Kysely<Schema>, xid: string): Promise<boolean> {
  for (const untilMs = performance.now() + commitAnswerMs; performance.now() < untilMs; await delay(askAgainMs)) {
    try {
      const { rows } = await sql<{ status: string }>`select pg_xact_status(${xid}::xid8) as status`.execute(read);
      if (rows[0]?.status !== 'in progress') return rows[0]?.status === 'committed';
    } catch (error) {
      if (!(error instanceof DatabaseFailure)) throw error;
    }
  }
  return false;
}

/** Gives the connection back. Where it is lost, the server rolls back by itself. */
async function giveUp(db: ControlledTransaction<Schema>): Promise<void> {
  await db
    .rollback()
    .execute()
    .catch(() => undefined);
}
