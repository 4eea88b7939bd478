// The seam between the store and an engine: one growing journal, one writer, and reads that never wait for it.

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
   * Another one after every commit, whoever made it, from the next turn of the event loop at the latest: while it is the
   * same, what `read` answered still stands.
   */
  readonly generation: () => number;
  /**
   * Runs `work` in a transaction and resolves once it is durable. Inside, await nothing but queries of `tx.db`: other
   * units wait meanwhile.
   * @throws Problem not-ready when the database cannot be written
   */
  readonly transact: <T>(work: (tx: Transaction) => Promise<T>) => Promise<T>;
  /** Why nothing can be written at present, in words; null when the last write succeeded. */
  readonly failure: () => string | null;
  /** The newest id that is durable; 0 before the first. */
  readonly latestEventId: () => number;
  /** Gives some of what deleted rows took back to the file system. @returns the bytes that could be given back still */
  readonly shrink: (mostPages: number) => Promise<number>;
  /** Takes the log of commits into the database file, and cuts it where it has grown to `leastBytes` and nobody reads it. */
  readonly settle: (leastBytes: number) => Promise<void>;
  /** Finishes what was asked for, then refuses. */
  readonly close: () => Promise<void>;
};

/** Called after each commit with its entries in id order. Must not throw. */
export type CommitListener = (entries: readonly JournalEntry[]) => void;
