// Writes to a PostgreSQL database. Transactions run one at a time, even across servers, because the store relies on
// that (ADR 0037).

import { setTimeout as delay } from 'node:timers/promises';
import { type ControlledTransaction, type Kysely, sql } from 'kysely';
import type { JournalEntry } from '../../domain/event.ts';
import { Problem } from '../../domain/problem.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { addToChain, insertAuditEntries, readAuditHead } from '../audit/audit-chain.ts';
import { createCommitOutcome } from '../commit-outcome.ts';
import { type CommitListener, type Database, DatabaseFailure, type Transaction } from '../database.ts';
import { insertEntries, numberEntries, readNextEventId } from '../journal-rows.ts';
import type { Schema } from '../schema.ts';
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

/** The advisory lock that a writing transaction holds from its first statement to its end. */
const writerLock = 0x666c_7764;
const mostTries = 10;
/** How long the writer keeps asking whether a COMMIT took effect, if the COMMIT got no answer. */
const commitAnswerMs = 10_000;
const askAgainMs = 100;

export function openPostgresWriter(o: Parts): Writer {
  let isClosed = false;
  /**
   * The last transaction of this process. Each transaction waits for the one before it, and holds no connection while
   * it waits.
   */
  let last: Promise<unknown> = Promise.resolve();
  const outcome = createCommitOutcome({ ...o, probe: () => transact(async () => undefined) });

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
        outcome.succeeded(entries);
        return value;
      } catch (error) {
        if (isConflict(error) && tries < mostTries) continue;
        throw error instanceof DatabaseFailure ? outcome.failed(error) : error;
      }
    }
  }

  return {
    transact,
    failure: outcome.failure,
    async close() {
      isClosed = true;
      outcome.close();
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
    await rollBack(db);
    throw error;
  }
}

/**
 * Waits for the lock. Later statements see everything that was committed before the lock was acquired. At a higher
 * isolation level they would not, because PostgreSQL would take the snapshot for the whole transaction before this
 * statement waits.
 * @returns the id of the transaction
 */
async function lock(db: Kysely<Schema>): Promise<string> {
  const { rows } = await sql<{ xid: string }>`
    select pg_advisory_xact_lock(${sql.lit(writerLock)}), pg_current_xact_id()::text as xid`.execute(db);
  return rows[0]?.xid ?? '';
}

async function fill<T>(db: Kysely<Schema>, clock: Clock, work: Work<T>): Promise<Done<T>> {
  // Reads the newest audit entry before the work runs, because the work may remove it.
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
    await rollBack(db);
    if (!(error instanceof DatabaseFailure) || !(await hasCommitted(read, xid))) throw error;
  }
}

/** The answer to a COMMIT was lost with the connection. Finds out whether the COMMIT took effect. */
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

/** Rolls back, and returns the connection to the pool. If the connection is lost, PostgreSQL rolls back on its own. */
async function rollBack(db: ControlledTransaction<Schema>): Promise<void> {
  await db
    .rollback()
    .execute()
    .catch(() => undefined);
}
