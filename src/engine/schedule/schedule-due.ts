// What of a schedule is due: its first nominal time that has not been dealt with, and those that it has missed.

import type { Schedule, ScheduleState } from '../../domain/schedule.ts';
import type { CronTimes } from '../../lib/cron.ts';
import { startsAtMs } from './jitter.ts';
import { newestTimes } from './missed-fires.ts';

/** A schedule that is there and enabled. */
export type Tracked = {
  schedule: Schedule;
  times: CronTimes;
  state: ScheduleState;
  /** The nominal time that is being tried again. */
  kept?: number | undefined;
  /** How long it rests next. */
  pauseMs?: number | undefined;
  /** Not to be looked at before. */
  restsUntilMs?: number | undefined;
  work?: Promise<void> | undefined;
  due?: { readonly cursorMs: number; readonly nominalAtMs: number | null; readonly startsAtMs: number } | undefined;
};

/** Nominal times up to here have been dealt with. */
export function cursorOf({ state }: Pick<Tracked, 'state'>): number {
  return Math.max(state.sinceMs, state.settledAtMs ?? state.sinceMs);
}

/** The first nominal time that has not been dealt with. */
export function dueOf(tracked: Tracked): NonNullable<Tracked['due']> {
  const { schedule, times, due } = tracked;
  const cursorMs = cursorOf(tracked);
  if (due?.cursorMs === cursorMs) return due;
  const nominalAtMs = times.next(cursorMs);
  const startMs = nominalAtMs === null ? Infinity : startsAtMs(schedule, nominalAtMs, times);
  tracked.due = { cursorMs, nominalAtMs, startsAtMs: startMs };
  return tracked.due;
}

/** Those that should have started by `untilMs`, the newest `limit` of them, oldest first. */
export function missedOf({ schedule, times, due }: Tracked, untilMs: number, limit: number) {
  // The newest of them may still be waiting for its jitter.
  const found = newestTimes(times, { afterMs: due?.cursorMs ?? untilMs, untilMs, limit: limit + 1 });
  const missed = found.times.filter((nominalAtMs) => startsAtMs(schedule, nominalAtMs, times) <= untilMs);
  return { times: missed.slice(-limit), isCut: found.isCut || missed.length > limit };
}
