// One commit of one or more units of work. If there are several, each has a savepoint, so that a unit that fails does
// not undo the others. A single unit needs no savepoint. A savepoint would make SQLite copy each page before it changes
// the page.

import type { DatabaseSync } from 'node:sqlite';
import type { Kysely } from 'kysely';
import type { JournalEntry } from '../../domain/event.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { type Audited, type AuditHead, addToChain, insertAuditEntries } from '../audit/audit-chain.ts';
import { DatabaseFailure, type Transaction } from '../database.ts';
import { insertEntries, numberEntries } from '../journal-rows.ts';
import type { Schema } from '../schema.ts';
import { type Emitted, type OpenTransaction, openTransaction } from '../transaction.ts';
import { createBegin } from './write-lock.ts';

export type Unit = {
  /** Does the work. Returns a function that settles the caller's promise; it is called once the commit is durable. */
  readonly run: (tx: Transaction) => Promise<() => void>;
  readonly reject: (error: unknown) => void;
};

export type Committed = {
  readonly entries: readonly JournalEntry[];
  readonly lastEventId: number;
  /** Settles the promises of all units that succeeded. */
  readonly settle: () => void;
};

/** How long a commit waits while another program writes. */
const lockedMs = 5_000;

/**
 * Returns a function that commits units. If a single unit fails, the function rejects that unit. If the whole commit
 * fails, the function throws. `hasFailed` says that the previous commit failed. In that case, the new commit does not
 * wait for another program, and writes a page even if the units change nothing.
 */
export function createCommit(o: {
  readonly path: string;
  readonly connection: DatabaseSync;
  readonly db: Kysely<Schema>;
  readonly nextEventId: number;
  readonly auditHead: AuditHead;
  readonly clock: Clock;
  readonly log: Logger;
}): (units: readonly Unit[], hasFailed: boolean) => Promise<Committed> {
  const { connection, db } = o;
  const begin = createBegin(o);
  const commit = connection.prepare('COMMIT');
  const rollback = connection.prepare('ROLLBACK');
  const runUnit = createUnitRunner(o);
  let { nextEventId, auditHead } = o;

  return async (units, hasFailed) => {
    const settlers: (() => void)[] = [];
    const emitted: Emitted[] = [];
    const audited: Audited[] = [];
    try {
      await begin(hasFailed ? 0 : lockedMs);
      // After a failure, the commit must write a page even if its only unit fails. Therefore this unit gets a
      // savepoint, too.
      const isAlone = units.length === 1 && !hasFailed;
      for (const unit of units) {
        const done = await runUnit(unit, isAlone);
        if (!done) continue;
        settlers.push(done.settle);
        emitted.push(...done.emitted);
        audited.push(...done.audited);
      }
      const entries = numberEntries(emitted, nextEventId);
      await insertEntries(db, entries);
      const chained = addToChain(auditHead, audited);
      await insertAuditEntries(db, chained);
      if (hasFailed) connection.exec(`PRAGMA user_version = ${userVersion(connection)}`);
      // If the only unit has failed, the transaction was already rolled back.
      if (connection.isTransaction) commit.run();
      auditHead = chained.at(-1) ?? auditHead;
      const last = entries.at(-1);
      if (last) nextEventId = last.id + last.count;
      return {
        entries,
        lastEventId: nextEventId - 1,
        settle() {
          for (const settle of settlers) settle();
        },
      };
    } catch (error) {
      rollBack();
      throw error;
    }
  };

  function rollBack(): void {
    try {
      if (connection.isTransaction) rollback.run();
    } catch (error) {
      o.log.error({ err: error }, 'a failed commit could not be rolled back');
    }
  }
}

type DoneUnit = Pick<OpenTransaction, 'emitted' | 'audited'> & { readonly settle: () => void };

function createUnitRunner(o: {
  readonly connection: DatabaseSync;
  readonly db: Kysely<Schema>;
  readonly clock: Clock;
}): (unit: Unit, isAlone: boolean) => Promise<DoneUnit | undefined> {
  const { connection } = o;
  const savepoint = connection.prepare('SAVEPOINT unit');
  const release = connection.prepare('RELEASE unit');
  const rollback = connection.prepare('ROLLBACK TO unit');
  const rollbackAll = connection.prepare('ROLLBACK');

  function undo(isAlone: boolean): void {
    if (isAlone) return void rollbackAll.run();
    rollback.run();
    release.run();
  }

  /**
   * Returns undefined if only this unit has failed.
   * @throws an error with which the whole commit fails
   */
  return async (unit, isAlone) => {
    const { tx, emitted, audited, end } = openTransaction(o.db, o.clock);
    if (!isAlone) savepoint.run();
    try {
      const settle = await unit.run(tx);
      if (!isAlone) release.run();
      return { settle, emitted, audited };
    } catch (error) {
      // After some errors, such as a full disk, SQLite itself rolls back the whole transaction.
      if (!connection.isTransaction || error instanceof DatabaseFailure) throw error;
      undo(isAlone);
      unit.reject(error ?? new Error('a unit of work was rejected without a reason'));
      return undefined;
    } finally {
      end();
    }
  };
}

export function userVersion(connection: DatabaseSync): number {
  return Number(connection.prepare('PRAGMA user_version').get()?.user_version);
}
