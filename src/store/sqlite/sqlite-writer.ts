// The only writer of a SQLite database. It has a queue of units of work. Units that are added in one turn of the event
// loop share a commit. Commits that are made during a sync share the next sync (ADR 0002).

import type { DatabaseSync } from 'node:sqlite';
import type { Kysely } from 'kysely';
import { Problem } from '../../domain/problem.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { AuditHead } from '../audit/audit-chain.ts';
import { createCommitOutcome } from '../commit-outcome.ts';
import { type CommitListener, DatabaseFailure, type Transaction } from '../database.ts';
import type { Schema } from '../schema.ts';
import type { OnDamage } from './sqlite.ts';
import { type Committed, createCommit, type Unit } from './sqlite-commit.ts';
import { toDatabaseFailure, watchDatabaseFiles } from './sqlite-files.ts';
import { openWalSync } from './wal-sync.ts';

export type SqliteWriter = {
  readonly transact: <T>(work: (tx: Transaction) => Promise<T>) => Promise<T>;
  readonly failure: () => string | null;
  readonly latestEventId: () => number;
  readonly close: () => Promise<void>;
};

/** With this many units, a commit blocks the event loop for about 20 ms. */
const mostUnits = 128;

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
  /** Whether `onDamage` has already logged this failure. */
  readonly isLogged: (failure: string) => boolean;
}): SqliteWriter {
  const { log } = o;
  const commit = createCommit(o);
  const queue = createUnitQueue(commitUnits);
  const transact = queue.add;
  const outcome = createCommitOutcome({ ...o, probe: () => transact(async () => undefined) });
  const assertFilesThere = watchDatabaseFiles(o.path);
  const wal = openWalSync(o.path, o.connection, (error) => outcome.stuck('the database cannot be synced', error));
  let durableEventId = o.nextEventId - 1;

  async function commitUnits(units: readonly Unit[]): Promise<void> {
    let committed: Committed;
    try {
      assertFilesThere();
      // After a failure, the commit must write a page, to prove that writing works again.
      committed = await commit(units, outcome.failure() !== null);
    } catch (error) {
      const reason = fail(error);
      for (const unit of units) unit.reject(reason);
      return;
    }
    const { entries, lastEventId, settle } = committed;
    void wal.sync().then(() => {
      durableEventId = lastEventId;
      settle();
      outcome.succeeded(entries);
    });
  }

  /**
   * @returns the error for the callers. If the disk failed, they get a problem and can try again. A bug is returned
   * unchanged.
   */
  function fail(cause: unknown): unknown {
    const error = toDatabaseFailure(cause);
    if (error instanceof DatabaseFailure) {
      if (error.isDamage) o.onDamage(error.message);
      return outcome.failed(error);
    }
    log.error({ err: error }, 'a commit failed');
    return error;
  }

  return {
    transact,
    failure() {
      try {
        assertFilesThere();
      } catch (error) {
        fail(error);
      }
      return outcome.failure();
    },
    latestEventId: () => durableEventId,
    async close() {
      outcome.close();
      await queue.close();
      await wal.close();
    },
  };
}

/** Passes units to `commitUnits` in their order, many at a time. */
function createUnitQueue(commitUnits: (units: readonly Unit[]) => Promise<void>): {
  readonly add: SqliteWriter['transact'];
  readonly close: () => Promise<void>;
} {
  let waiting: Unit[] = [];
  let isScheduled = false;
  let isClosed = false;
  let whenIdle: (() => void) | undefined;

  /**
   * setImmediate runs after all callbacks of this turn. A microtask would run after the first of them (measured: ADR
   * 0002).
   */
  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(() => void commitNext());
  }

  async function commitNext(): Promise<void> {
    const units = waiting.slice(0, mostUnits);
    waiting = waiting.slice(mostUnits);
    await commitUnits(units);
    isScheduled = false;
    if (waiting.length > 0) schedule();
    else whenIdle?.();
  }

  return {
    add<T>(work: (tx: Transaction) => Promise<T>) {
      if (isClosed) return Promise.reject(new Problem('not-ready', 'The server is stopping.'));
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      waiting.push({
        async run(tx) {
          const value = await work(tx);
          return () => resolve(value);
        },
        reject,
      });
      schedule();
      return promise;
    },
    async close() {
      isClosed = true;
      if (!isScheduled) return;
      await new Promise<void>((resolve) => {
        whenIdle = resolve;
      });
    },
  };
}
