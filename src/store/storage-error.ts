// Tells a store that cannot do its work at present from a piece of work that is wrong.

import { Problem } from '../domain/problem.ts';
import { isShortage, shortageIn } from '../lib/shortage.ts';
import { storageFailure } from './sqlite/sqlite.ts';
import { damageIn } from './sqlite/sqlite-files.ts';

/** Whether it is the disk that refused what was asked of the store: asked again later, it may be done. */
export function isStorageError(error: unknown): boolean {
  if (error instanceof Problem) return error.slug === 'not-ready';
  return isShortage(error) || storageFailure(error) !== undefined;
}

/** What a caller is told of a storage error; undefined for any other error. */
export function storageProblem(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error.slug === 'not-ready' ? error : undefined;
  const damage = damageIn(error);
  if (damage !== undefined)
    return new Problem('database-damaged', `The database is damaged (${damage}): restore a backup.`);
  const words = shortageIn(error) ?? storageFailure(error);
  return words === undefined ? undefined : unwritable(words);
}

/** In seconds: a disk is not emptied at once. */
const retryAfter = 5;

export function unwritable(words: string): Problem {
  return new Problem('not-ready', `The server cannot write its data: ${words}.`, { retry_after: retryAfter });
}
