// Reads query values that a JSON schema cannot check, and pages lists that are in memory.

import { type Problem, validationError } from '../../domain/problem.ts';
import { parseTimestampUs } from '../../lib/clock.ts';

/**
 * Converts a time to milliseconds, because the store keeps times in milliseconds. Rounding up is right for both ends:
 * `since` is inclusive and `until` is not.
 */
export function toMs(time: string | undefined): number | undefined {
  const us = time === undefined ? undefined : parseTimestampUs(time);
  return us === undefined ? undefined : Math.ceil(us / 1000);
}

export function cursorError(): Problem {
  return validationError([{ pointer: '?cursor', message: 'is not the `next_cursor` of a page', keyword: 'format' }]);
}

type Paging = { readonly cursor?: string; readonly offset?: number; readonly limit?: number };

/**
 * Returns one page of a list. Each item has a place, by which the list is sorted. A cursor is a place in base64url.
 * @throws Problem validation-error
 */
export function pageOf<T>(
  all: readonly T[],
  { cursor, offset = 0, limit }: Paging,
  place: { readonly of: (item: T) => string; readonly pattern: RegExp },
): { readonly page: readonly T[]; readonly total: number; readonly nextCursor: string | null } {
  let rest = all.slice(offset);
  if (cursor !== undefined) {
    const after = Buffer.from(cursor, 'base64url').toString();
    if (!place.pattern.test(after)) throw cursorError();
    rest = all.filter((item) => place.of(item) > after);
  }
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  const hasMore = last !== undefined && page.length < rest.length;
  return { page, total: all.length, nextCursor: hasMore ? Buffer.from(place.of(last)).toString('base64url') : null };
}
