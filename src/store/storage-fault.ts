// Tells a store that cannot do its work at present from a piece of work that is wrong.

import { Problem } from '../domain/problem.ts';
import { isShortage } from '../lib/shortage.ts';
import { storageFailure } from './sqlite.ts';

/** Whether it is the disk that refused what was asked of the store: asked again later, it may be done. */
export function isStorageFault(error: unknown): boolean {
  if (error instanceof Problem) return error.slug === 'not-ready';
  return isShortage(error) || storageFailure(error) !== undefined;
}
