// Finds the due times of a schedule: the first nominal time that has not been dealt with, the missed times, and when
// the run of each of them starts.

import { createHash } from 'node:crypto';
import type { Schedule, ScheduleState } from '../../domain/schedule.ts';
import type { CronTimes } from '../../lib/cron/cron.ts';
import type { Gap } from './missed-words.ts';

/** A schedule that fires: it is enabled and not held. */
export type Tracked = {
  schedule: Schedule;
  times: CronTimes;
  state: ScheduleState;
  /** The nominal time whose start is being retried. */
  kept?: number | undefined;
  /** How long the next pause is. */
  pauseMs?: number | undefined;
  /** The schedule pauses until this time. */
  restsUntilMs?: number | undefined;
  work?: Promise<void> | undefined;
  /** The last span in which the job was broken or its folder was missing. */
  gap?: Gap | undefined;
  due?: { readonly cursorMs: number; readonly nominalAtMs: number | null; readonly startsAtMs: number } | undefined;
};

/** Returns the instant up to which all nominal times have been dealt with. */
export function cursorOf(tracked: Pick<Tracked, 'state'>): number {
  return Math.max(seenUntilMs(tracked), tracked.state.notBeforeMs ?? 0);
}

/** The latest time that the clock has shown while the schedule was active. */
export function seenUntilMs({ state }: Pick<Tracked, 'state'>): number {
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

/** The newest `limit` nominal times whose runs should have started by `untilMs`, oldest first. */
export function missedOf({ schedule, times, due }: Tracked, untilMs: number, limit: number) {
  // The run of the newest time may still be delayed by its jitter.
  const found = newestTimes(times, { afterMs: due?.cursorMs ?? untilMs, untilMs, limit: limit + 1 });
  const missed = found.times.filter((nominalAtMs) => startsAtMs(schedule, nominalAtMs, times) <= untilMs);
  return { times: missed.slice(-limit), isCut: found.isCut || missed.length > limit };
}

/** When the run of a nominal time starts. The jitter of a time is the same each time it is computed. */
export function startsAtMs(
  { id, jitterMs }: { readonly id: string; readonly jitterMs: number },
  nominalAtMs: number,
  times: CronTimes,
): number {
  if (jitterMs === 0) return nominalAtMs;
  // When daylight saving changes, two times can be closer to each other than usual.
  const gapMs = (times.next(nominalAtMs) ?? Infinity) - nominalAtMs;
  const hash = createHash('sha256').update(`${id} ${nominalAtMs}`).digest().readUInt32BE();
  return nominalAtMs + Math.floor((hash / 2 ** 32) * Math.min(jitterMs, gapMs));
}

const firstWindowMs = 60_000;

/**
 * The newest times after `afterMs` up to `untilMs`, at most `limit`, oldest first. `isCut` is true if there are older
 * times. The span may be months long, so the search does not begin at its start.
 */
export function newestTimes(
  times: CronTimes,
  o: { readonly afterMs: number; readonly untilMs: number; readonly limit: number },
): { readonly times: readonly number[]; readonly isCut: boolean } {
  const { afterMs, untilMs, limit } = o;
  const most = 2 * limit;
  const from = (fromMs: number): number[] => {
    const found: number[] = [];
    for (let at = times.next(fromMs); at !== null && at <= untilMs && found.length <= most; at = times.next(at))
      found.push(at);
    return found;
  };
  // Each window is twice as long as the one before and includes it.
  let [fromMs, fewFromMs] = [untilMs, untilMs];
  let found: number[] = [];
  for (let windowMs = firstWindowMs; found.length <= limit && fromMs > afterMs; windowMs *= 2) {
    fewFromMs = fromMs;
    fromMs = Math.max(afterMs, untilMs - windowMs);
    found = from(fromMs);
  }
  // The last window may have far too many times, for example if the schedule fires every minute, but only in January.
  // The window before it had too few. A binary search between the starts of the two windows finds a window that has
  // enough times, but not too many.
  while (found.length > most) {
    const middleMs = Math.floor((fromMs + fewFromMs) / 2);
    const some = from(middleMs);
    if (some.length <= limit) fewFromMs = middleMs;
    else [fromMs, found] = [middleMs, some];
  }
  return { times: found.slice(-limit), isCut: found.length > limit };
}
