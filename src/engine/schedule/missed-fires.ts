// Which times of a pattern lie in a stretch of time that may be months long, without walking through all of it.

import type { CronTimes } from '../../lib/cron.ts';

const firstWindowMs = 60_000;

/** The newest times after `afterMs` up to `untilMs`, `limit` at the most, oldest first; `isCut`: there are older ones. */
export function newestTimes(
  times: CronTimes,
  o: { readonly afterMs: number; readonly untilMs: number; readonly limit: number },
): { readonly times: readonly number[]; readonly isCut: boolean } {
  const { afterMs, untilMs, limit } = o;
  // What is walked in one window is walked once more in the next, which is twice as long.
  for (let windowMs = firstWindowMs; ; windowMs *= 2) {
    const fromMs = Math.max(afterMs, untilMs - windowMs);
    const found: number[] = [];
    for (let at = times.next(fromMs); at !== null && at <= untilMs; at = times.next(at)) found.push(at);
    if (fromMs > afterMs && found.length <= limit) continue;
    return { times: found.slice(-limit), isCut: found.length > limit };
  }
}
