// Distinguishes errors of the disk or the database from all other errors. After an error of the disk or the database,
// the caller can try again.

import { Problem } from '../domain/problem.ts';
import { isShortage, shortageIn } from '../lib/shortage.ts';
import { DatabaseFailure } from './database.ts';

/** Whether the disk or the database refused the work. If so, the same work may succeed later. */
export function isStorageError(error: unknown): boolean {
  if (error instanceof Problem) return error.slug === 'not-ready';
  return isShortage(error) || error instanceof DatabaseFailure;
}

/** Returns the problem to answer with after a storage error; undefined for any other error. */
export function storageProblem(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error.slug === 'not-ready' ? error : undefined;
  if (error instanceof DatabaseFailure && error.isDamage)
    return new Problem('database-damaged', `The database is damaged (${error.message}): restore a backup.`);
  const words = refusalIn(error);
  return words === undefined ? undefined : unwritable(words);
}

/** Says why the disk or the database refused the work; undefined for any other error. */
export function refusalIn(error: unknown): string | undefined {
  return shortageIn(error) ?? (error instanceof DatabaseFailure ? error.message : undefined);
}

/**
 * After how many seconds a caller may try again. A shorter wait would be pointless, because nobody frees disk space
 * that fast.
 */
const retryAfter = 5;

/** Says that the database is damaged and what the operator must do. */
export function databaseDamaged(words: string): string {
  return `the database is damaged (${words}): stop the server and restore a backup`;
}

export function unwritable(words: string): Problem {
  return new Problem('not-ready', `The server cannot write its data: ${words}.`, { retry_after: retryAfter });
}
