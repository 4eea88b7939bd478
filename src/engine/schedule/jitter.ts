// When a schedule starts its run for a nominal time: the same share of its jitter whenever it is asked.

import { createHash } from 'node:crypto';
import type { CronTimes } from '../../lib/cron.ts';

export function startsAtMs(
  { id, jitterMs }: { readonly id: string; readonly jitterMs: number },
  nominalAtMs: number,
  times: CronTimes,
): number {
  if (jitterMs === 0) return nominalAtMs;
  // A change of daylight saving can bring two times closer to each other than they ever are otherwise.
  const gapMs = (times.next(nominalAtMs) ?? Infinity) - nominalAtMs;
  const hash = createHash('sha256').update(`${id} ${nominalAtMs}`).digest().readUInt32BE();
  return nominalAtMs + Math.floor((hash / 2 ** 32) * Math.min(jitterMs, gapMs));
}
