// Query values that a JSON schema cannot read.

import { type Problem, validationError } from '../../domain/problem.ts';
import { parseTimestampUs } from '../../lib/clock.ts';

/** Rounded up to whole milliseconds, as the store keeps times: `since` is inclusive and `until` is not. */
export function toMs(time: string | undefined): number | undefined {
  const us = time === undefined ? undefined : parseTimestampUs(time);
  return us === undefined ? undefined : Math.ceil(us / 1000);
}

export function cursorError(): Problem {
  return validationError([{ pointer: '?cursor', message: 'is not the `next_cursor` of a page', keyword: 'format' }]);
}
