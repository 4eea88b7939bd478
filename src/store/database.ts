// The interface between the store and a database engine: transactions that run one after another, a journal that they
// append to, and reads that never wait for them.

import type { Kysely } from 'kysely';
import type { NewAuditEntry } from '../domain/audit.ts';
import type { JournalEntry, NewEvent, NewOutput } from '../domain/event.ts';
import type { Schema } from './schema.ts';

export type Transaction = {
  readonly db: Kysely<Schema>;
  /** Appends to the journal with this transaction, in the order of the calls. */
  readonly emit: (event: NewEvent | NewOutput) => void;
  /** Appends to the audit log with this transaction, in the order of the calls. */
  readonly record: (entry: NewAuditEntry) => void;
};

export type Database = {
  /** Sees committed data only, and cannot write. */
  readonly read: Kysely<Schema>;
  /**
   * Changes with every commit of any process, at the latest in the next turn of the event loop. While it stays the
   * same, everything that `read` returns stays the same.
   */
  readonly generation: () => Promise<string | number>;
  /**
   * Runs `work` in a transaction and resolves once it is durable. Transactions of all servers run one after another, so
   * inside, await only queries of `tx.db`. If the engine rolls back because of another transaction, `work` runs again,
   * so it must have no other effects than on the database and its return value.
   * @throws Problem not-ready when the database cannot be written
   */
  readonly transact: <T>(work: (tx: Transaction) => Promise<T>) => Promise<T>;
  /** Why the last write failed, in words; null when it succeeded. */
  readonly failure: () => string | null;
  /** The newest durable event id; 0 before the first. */
  readonly latestEventId: () => Promise<number>;
  readonly size: () => Promise<DatabaseSize>;
  /** Finishes the transactions under way, and refuses new ones. */
  readonly close: () => Promise<void>;
};

export type DatabaseSize = {
  readonly bytes: number;
  /** The size of SQLite's WAL; 0 on PostgreSQL. */
  readonly walBytes: number;
  readonly freePages: number;
};

/** Called after each commit with its entries, ordered by id. Must not throw. */
export type CommitListener = (entries: readonly JournalEntry[]) => void;

/** The database cannot work now; the request itself may be fine. Thrown by `read` and inside `transact`. */
export class DatabaseFailure extends Error {
  override readonly name = 'DatabaseFailure';
  /** The stored data is corrupt, so waiting does not help. */
  readonly isDamage: boolean;

  constructor(message: string, { isDamage, cause }: { readonly isDamage: boolean; readonly cause: unknown }) {
    super(message, { cause });
    this.isDamage = isDamage;
  }
}
