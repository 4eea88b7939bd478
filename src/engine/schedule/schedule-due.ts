// What of a schedule is due: its first nominal time that has not been dealt with, those that it has missed, and when
// its run starts for each.

import { createHash } from 'node:crypto';
import type { Schedule, ScheduleState } from '../../domain/schedule.ts';
import type { CronTimes } from '../../lib/cron.ts';

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

/** When its run starts for a nominal time: after the same share of its jitter whenever it is asked. */
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

const firstWindowMs = 60_000;

/**
 * The newest times after `afterMs` up to `untilMs`, at most `limit`, oldest first; `isCut`: there are older ones. The
 * stretch may be months long, so it is not walked through from its start.
 */
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
