// Tells a store that cannot do its work at present from a piece of work that is wrong.

import { Problem } from '../domain/problem.ts';
import { isShortage, shortageIn } from '../lib/shortage.ts';
import { DatabaseFailure } from './database.ts';

/** Whether it is the disk that refused what was asked of the store: asked again later, it may be done. */
export function isStorageError(error: unknown): boolean {
  if (error instanceof Problem) return error.slug === 'not-ready';
  return isShortage(error) || error instanceof DatabaseFailure;
}

/** What a caller is told of a storage error; undefined for any other error. */
export function storageProblem(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error.slug === 'not-ready' ? error : undefined;
  if (error instanceof DatabaseFailure && error.isDamage)
    return new Problem('database-damaged', `The database is damaged (${error.message}): restore a backup.`);
  const words = shortageIn(error) ?? (error instanceof DatabaseFailure ? error.message : undefined);
  return words === undefined ? undefined : unwritable(words);
}

/** In seconds: a disk is not emptied at once. */
const retryAfter = 5;

export function unwritable(words: string): Problem {
  return new Problem('not-ready', `The server cannot write its data: ${words}.`, { retry_after: retryAfter });
}
