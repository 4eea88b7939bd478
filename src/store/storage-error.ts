// Tells errors of the disk or the database, after which a caller can try again, from errors of the work itself.

import { Problem } from '../domain/problem.ts';
import { isShortage, shortageIn } from '../lib/shortage.ts';
import { DatabaseFailure } from './database.ts';

/** Whether the disk or the database refused the work. The same work may succeed later. */
export function isStorageError(error: unknown): boolean {
  if (error instanceof Problem) return error.slug === 'not-ready';
  return isShortage(error) || error instanceof DatabaseFailure;
}

/** The problem that answers a storage error; undefined for any other error. */
export function storageProblem(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error.slug === 'not-ready' ? error : undefined;
  if (error instanceof DatabaseFailure && error.isDamage)
    return new Problem('database-damaged', `The database is damaged (${error.message}): restore a backup.`);
  const words = refusalIn(error);
  return words === undefined ? undefined : unwritable(words);
}

/** Why the disk or the database refused the work, in words; undefined for any other error. */
export function refusalIn(error: unknown): string | undefined {
  return shortageIn(error) ?? (error instanceof DatabaseFailure ? error.message : undefined);
}

/** The seconds after which a caller may try again: nobody empties a disk faster. */
const retryAfter = 5;

/** Tells the operator that the database is damaged, and what to do. */
export function databaseDamaged(words: string): string {
  return `the database is damaged (${words}): stop the server and restore a backup`;
}

export function unwritable(words: string): Problem {
  return new Problem('not-ready', `The server cannot write its data: ${words}.`, { retry_after: retryAfter });
}
