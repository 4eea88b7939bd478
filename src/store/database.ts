// The interface between the store and a database engine. Transactions run one after another and append to a journal.
// Reads never wait for transactions.

import type { Kysely } from 'kysely';
import type { NewAuditEntry } from '../domain/audit.ts';
import type { JournalEntry, NewEvent, NewOutput } from '../domain/event.ts';
import type { Schema } from './schema.ts';

export type Transaction = {
  readonly db: Kysely<Schema>;
  /** Appends an entry to the journal when this transaction commits. Entries keep the order of the calls. */
  readonly emit: (event: NewEvent | NewOutput) => void;
  /** Appends an entry to the audit log when this transaction commits. Entries keep the order of the calls. */
  readonly record: (entry: NewAuditEntry) => void;
};

export type Database = {
  /** For queries outside a transaction. They see only committed data, and cannot write. */
  readonly read: Kysely<Schema>;
  /**
   * Returns a value that changes with every commit of any process, at the latest in the next turn of the event loop.
   * While it stays the same, the results of all queries with `read` stay the same.
   */
  readonly generation: () => Promise<string | number>;
  /**
   * Runs `work` in a transaction, and resolves once the transaction is durable. Transactions of all servers run one
   * after another, so `work` must await nothing but queries of `tx.db`. If the engine rolls a transaction back because
   * of another one, `work` runs again. So it must have no effects besides its changes of the database and its return
   * value.
   * @throws Problem not-ready if the database cannot be written
   */
  readonly transact: <T>(work: (tx: Transaction) => Promise<T>) => Promise<T>;
  /** Why the last write failed, in words; null if it succeeded. */
  readonly failure: () => string | null;
  /** Returns the newest durable event id; 0 if there is no event yet. */
  readonly latestEventId: () => Promise<number>;
  readonly size: () => Promise<DatabaseSize>;
  /** Finishes the transactions in progress, and refuses new ones. */
  readonly close: () => Promise<void>;
};

export type DatabaseSize = {
  readonly bytes: number;
  /** The size of SQLite's WAL; 0 for PostgreSQL. */
  readonly walBytes: number;
  readonly freePages: number;
};

/** Called after each commit with its journal entries, in the order of their ids. Must not throw. */
export type CommitListener = (entries: readonly JournalEntry[]) => void;

/** Thrown by `read` and inside `transact` if the database does not work at present. The query itself may be fine. */
export class DatabaseFailure extends Error {
  override readonly name = 'DatabaseFailure';
  /** True if the stored data is corrupt, so that waiting does not help. */
  readonly isDamage: boolean;

  constructor(message: string, { isDamage, cause }: { readonly isDamage: boolean; readonly cause: unknown }) {
    super(message, { cause });
    this.isDamage = isDamage;
  }
}
