// Handles the result of each commit, for both database engines. After a success, it tells the listener which entries
// were committed. After a failure, it remembers the reason and tries an empty commit once a second until one succeeds.

import type { JournalEntry } from '../domain/event.ts';
import type { Problem } from '../domain/problem.ts';
import type { Logger } from '../lib/logger.ts';
import type { CommitListener, DatabaseFailure } from './database.ts';
import { databaseDamaged, unwritable } from './storage-error.ts';

const probeMs = 1_000;

export function createCommitOutcome(o: {
  readonly log: Logger;
  readonly onCommit: CommitListener;
  /** Whether the server's log already contains this failure. */
  readonly isLogged?: (failure: string) => boolean;
  /** Commits an empty transaction. */
  readonly probe: () => Promise<unknown>;
}) {
  const { log } = o;
  let failure: string | null = null;
  let probe: NodeJS.Timeout | undefined;

  /** Logs a failure only once. Repeating it would fill a full disk further. */
  function stuck(found: string, error: unknown): void {
    if (found !== failure && o.isLogged?.(found) !== true) log.error({ err: error }, found);
    failure = found;
  }

  return {
    succeeded(entries: readonly JournalEntry[]): void {
      if (failure !== null) log.info('the database can be written again');
      failure = null;
      if (entries.length === 0) return;
      try {
        o.onCommit(entries);
      } catch (error) {
        log.error({ err: error }, 'a listener of the journal failed');
      }
    },
    /** @returns the error for the callers whose changes were in the commit */
    failed(error: DatabaseFailure): Problem {
      const { message, isDamage } = error;
      stuck(isDamage ? databaseDamaged(message) : `the database cannot be written: ${message}`, error);
      probe ??= setTimeout(() => {
        probe = undefined;
        o.probe().catch(() => undefined);
      }, probeMs).unref();
      return unwritable(message);
    },
    /** Remembers a failure without trying an empty commit, because the writer itself tries again. */
    stuck,
    /** Why the last commit failed; null if it succeeded. */
    failure: (): string | null => failure,
    close: () => clearTimeout(probe),
  };
}
