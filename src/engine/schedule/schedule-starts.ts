// Schedules that fire at a start: `@reboot` at each start of the server, `@boot` at the first start of the server after
// each boot of the host (ADR 0011).

import { invariant } from '../../domain/problem.ts';
import type { Schedule } from '../../domain/schedule.ts';
import { bootId } from '../../lib/boot-id.ts';
import type { CronTimes } from '../../lib/cron/cron.ts';
import type { Store } from '../../store/open.ts';
import type { TimesOf } from './schedule-times.ts';

/** By word: the single nominal time of such a schedule while this server runs. */
export type Starts = ReadonlyMap<string, number>;

/**
 * The starts are later than what begins at `atMs`, so that a new schedule fires at this start, too. Only Linux has ids
 * of boots. Elsewhere each start of the server counts as a boot.
 */
export async function openStarts({ instance }: Pick<Store, 'instance'>, atMs: number): Promise<Starts> {
  const startMs = atMs + 1;
  const bootMs = process.platform === 'linux' ? await instance.bootSeenAt(bootId(), startMs) : startMs;
  return new Map([
    ['@reboot', startMs],
    ['@boot', bootMs],
  ]);
}

/** The times of a schedule, and for one that fires at a start, the start. */
export function timesWithStarts(schedule: Schedule, starts: Starts, timesOf: TimesOf): CronTimes {
  const startMs = starts.get(schedule.cron ?? '');
  if (startMs !== undefined) return { next: (afterMs) => (afterMs < startMs ? startMs : null), isStart: true };
  const times = timesOf(schedule);
  invariant('next' in times, 'a schedule is checked before it is tracked');
  return times;
}
