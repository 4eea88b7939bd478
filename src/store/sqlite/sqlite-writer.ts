// The one writer of a SQLite database. Units queued in one turn of the event loop share a commit; each has a savepoint of
// its own, so that one which fails leaves the others alone. Commits made while a sync runs share the next (ADR 0002).

import type { DatabaseSync } from 'node:sqlite';
import type { Kysely } from 'kysely';
import type { JournalEntry } from '../../domain/event.ts';
import { Problem } from '../../domain/problem.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { type Audited, type AuditHead, addToChain, insertAuditEntries } from '../audit/audit-chain.ts';
import { type CommitListener, DatabaseFailure, type Transaction } from '../database.ts';
import { insertEntries, numberEntries } from '../journal-rows.ts';
import type { Schema } from '../schema.ts';
import { unwritable } from '../storage-error.ts';
import { type Emitted, openTransaction } from '../transaction.ts';
import type { OnDamage } from './sqlite.ts';
import { toDatabaseFailure, watchDatabaseFiles } from './sqlite-files.ts';
import { openWalSync } from './wal-sync.ts';

type Unit = {
  /** Does the work; what it resolves with settles the caller's promise once the commit is durable. */
  readonly run: (tx: Transaction) => Promise<() => void>;
  readonly reject: (error: unknown) => void;
};

export type SqliteWriter = {
  readonly transact: <T>(work: (tx: Transaction) => Promise<T>) => Promise<T>;
  readonly failure: () => string | null;
  readonly latestEventId: () => number;
  readonly close: () => Promise<void>;
};

/** A commit of this many keeps the event loop for some 20 ms. */
const mostUnits = 128;
const probeMs = 1_000;

export function openSqliteWriter(o: {
  readonly path: string;
  readonly connection: DatabaseSync;
  readonly db: Kysely<Schema>;
  readonly nextEventId: number;
  readonly auditHead: AuditHead;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onCommit: CommitListener;
  readonly onDamage: OnDamage;
}): SqliteWriter {
  const { connection, db, log } = o;
  const begin = connection.prepare('BEGIN IMMEDIATE');
  const commit = connection.prepare('COMMIT');
  const rollback = connection.prepare('ROLLBACK');
  const savepoint = connection.prepare('SAVEPOINT unit');
  const release = connection.prepare('RELEASE unit');
  const rollbackUnit = connection.prepare('ROLLBACK TO unit');
  let queue: Unit[] = [];
  let isScheduled = false;
  let isClosed = false;
  let whenIdle: (() => void) | undefined;
  let nextEventId = o.nextEventId;
  let auditHead = o.auditHead;
  let durableEventId = o.nextEventId - 1;
  let failure: string | null = null;
  let probe: NodeJS.Timeout | undefined;
  const assertFilesThere = watchDatabaseFiles(o.path);
  const wal = openWalSync(o.path, connection, (error) => {
    const found = 'the database cannot be synced';
    if (failure !== found) log.error({ err: error }, found);
    failure = found;
  });

  function transact<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    if (isClosed) return Promise.reject(new Problem('not-ready', 'The server is stopping.'));
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    queue.push({
      async run(tx) {
        const value = await work(tx);
        return () => resolve(value);
      },
      reject,
    });
    schedule();
    return promise;
  }

  /** setImmediate comes after all callbacks of the turn; a microtask would come after the first (measured: ADR 0002). */
  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(() => void commitBatch());
  }

  async function commitBatch(): Promise<void> {
    const units = queue.slice(0, mostUnits);
    queue = queue.slice(mostUnits);
    await commitUnits(units);
    isScheduled = false;
    if (queue.length > 0) schedule();
    else whenIdle?.();
  }

  async function commitUnits(units: readonly Unit[]): Promise<void> {
    const settled: (() => void)[] = [];
    const rejected = new Set<Unit>();
    let entries: JournalEntry[];
    let head: AuditHead;
    try {
      assertFilesThere();
      begin.run();
      const emitted: Emitted[] = [];
      const audited: Audited[] = [];
      for (const unit of units) {
        const error = await runUnit(unit, { emitted, audited }, settled);
        if (error === undefined) continue;
        rejected.add(unit);
        unit.reject(error);
      }
      entries = numberEntries(emitted, nextEventId);
      await insertEntries(db, entries);
      const rows = addToChain(auditHead, audited);
      await insertAuditEntries(db, rows);
      head = rows.at(-1) ?? auditHead;
      // Only a page that is written proves that pages can be written again.
      if (failure !== null) connection.exec(`PRAGMA user_version = ${userVersion(connection)}`);
      commit.run();
    } catch (error) {
      rollBack();
      const reason = fail(error);
      for (const unit of units) if (!rejected.has(unit)) unit.reject(reason);
      return;
    }
    auditHead = head;
    const last = entries.at(-1);
    if (last) nextEventId = last.id + last.count;
    const lastId = nextEventId - 1;
    void wal.sync().then(() => {
      recovered();
      durableEventId = lastId;
      for (const settle of settled) settle();
      if (last) announce(entries);
    });
  }

  /** @returns the error of a unit that failed alone @throws what fails the whole commit */
  async function runUnit(
    unit: Unit,
    { emitted, audited }: { emitted: Emitted[]; audited: Audited[] },
    settled: (() => void)[],
  ): Promise<unknown> {
    const open = openTransaction(db, o.clock);
    savepoint.run();
    try {
      const settle = await unit.run(open.tx);
      release.run();
      settled.push(settle);
      emitted.push(...open.emitted);
      audited.push(...open.audited);
      return undefined;
    } catch (error) {
      // SQLite ends the whole transaction by itself after some errors, a full disk among them.
      if (!connection.isTransaction || error instanceof DatabaseFailure) throw error;
      rollbackUnit.run();
      release.run();
      return error ?? new Error('a unit of work was rejected without a reason');
    } finally {
      open.end();
    }
  }

  function rollBack(): void {
    try {
      if (connection.isTransaction) rollback.run();
    } catch (error) {
      log.error({ err: error }, 'a failed commit could not be rolled back');
    }
  }

  function announce(entries: readonly JournalEntry[]): void {
    try {
      o.onCommit(entries);
    } catch (error) {
      log.error({ err: error }, 'a listener of the journal failed');
    }
  }

  /** @returns what the callers get: an error of the disk is theirs to wait for, everything else is a bug. */
  function fail(cause: unknown): unknown {
    const error = toDatabaseFailure(cause);
    if (!(error instanceof DatabaseFailure)) {
      log.error({ err: error }, 'a commit failed');
      return error;
    }
    const { message: words, isDamage } = error;
    const found = `the database cannot be written: ${words}`;
    // Said once: a full disk is no better for a log that grows.
    if (found !== failure) log.error({ err: cause }, 'a commit failed');
    if (isDamage) o.onDamage(words);
    failure = found;
    probe ??= setTimeout(() => {
      probe = undefined;
      transact(async () => undefined).catch(() => undefined);
    }, probeMs).unref();
    return unwritable(words);
  }

  function recovered(): void {
    if (failure === null) return;
    failure = null;
    log.info('the database can be written again');
  }

  return {
    transact,
    failure() {
      try {
        assertFilesThere();
      } catch (error) {
        fail(error);
      }
      return failure;
    },
    latestEventId: () => durableEventId,
    async close() {
      isClosed = true;
      clearTimeout(probe);
      if (isScheduled) {
        await new Promise<void>((resolve) => {
          whenIdle = resolve;
        });
      }
      await wal.close();
    },
  };
}

function userVersion(connection: DatabaseSync): number {
  return Number(connection.prepare('PRAGMA user_version').get()?.user_version);
}
