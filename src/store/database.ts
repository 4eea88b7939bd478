// The seam between the store and a database engine: one growing journal, transactions one after the other, and reads
// that never wait for them.

import type { Kysely } from 'kysely';
import type { NewAuditEntry } from '../domain/audit.ts';
import type { JournalEntry, NewEvent, NewOutput } from '../domain/event.ts';
import type { Schema } from './schema.ts';

export type Transaction = {
  readonly db: Kysely<Schema>;
  /** Written to the journal with this transaction, in the order of the calls. */
  readonly emit: (event: NewEvent | NewOutput) => void;
  /** Written to the audit log with this transaction, likewise. */
  readonly record: (entry: NewAuditEntry) => void;
};

export type Database = {
  /** Sees what is committed, cannot write. */
  readonly read: Kysely<Schema>;
  /**
   * Another one after every commit, whoever made it, from the next turn of the event loop at the latest: while it is
   * the same, what `read` answered still stands.
   */
  readonly generation: () => Promise<string | number>;
  /**
   * Runs `work` in a transaction and resolves once it is durable. Transactions of all servers run one after the other,
   * so inside, await nothing but queries of `tx.db`. Where the engine rolled back because of another transaction,
   * `work` is run again: it leaves no trace but in the database and in what it returns.
   * @throws Problem not-ready when the database cannot be written
   */
  readonly transact: <T>(work: (tx: Transaction) => Promise<T>) => Promise<T>;
  /** Why nothing can be written at present, in words; null when the last write succeeded. */
  readonly failure: () => string | null;
  /** The newest id that is durable; 0 before the first. */
  readonly latestEventId: () => Promise<number>;
  readonly size: () => Promise<DatabaseSize>;
  /** Finishes what was asked for, then refuses. */
  readonly close: () => Promise<void>;
};

export type DatabaseSize = {
  readonly bytes: number;
  /** 0 where the engine keeps its own log of commits. */
  readonly walBytes: number;
  readonly freePages: number;
};

/** Called after each commit with its entries in id order. Must not throw. */
export type CommitListener = (entries: readonly JournalEntry[]) => void;

/**
 * The database cannot do its work at present: what was asked of it may be right. Thrown by `read` and inside
 * `transact`.
 */
export class DatabaseFailure extends Error {
  override readonly name = 'DatabaseFailure';
  /** What is stored contradicts itself: waiting does not help. */
  readonly isDamage: boolean;

  constructor(message: string, { isDamage, cause }: { readonly isDamage: boolean; readonly cause: unknown }) {
    super(message, { cause });
    this.isDamage = isDamage;
  }
}
