// Looks at the clock and deals with the nominal times that have come: it starts their runs, or, for missed times, does
// what `catch_up` says. Schedules are independent of each other; each handles its times one after the other (ADR 0011).

import { toTimestamp } from '../../lib/clock.ts';
import type { Serial } from '../../lib/serial.ts';
import { isStorageError } from '../../store/storage-error.ts';
import { type Gap, missedWords } from './missed-words.ts';
import { dueOf, missedOf, seenUntilMs, startsAtMs, type Tracked } from './schedule-due.ts';
import { type FireParts, fireSchedule, settleMissed } from './schedule-fire.ts';
import type { ScheduleList } from './schedule-list.ts';

/**
 * A run that starts up to this late still counts as on time, for example after a quick restart or on a busy machine.
 */
const graceMs = 30_000;
const tickMs = 500;
const mostCaughtUp = 100;
const shortestPauseMs = 1_000;
/** Shorter than the grace period, so that no time counts as missed because of a pause. */
const longestPauseMs = 20_000;

type Parts = FireParts & {
  readonly signal: AbortSignal;
  /** When no server was running before this one started; null if that is not known. */
  readonly downtime: () => Promise<Gap | null>;
};

/** Checks which schedules are due, twice a second and once for each `tick`. */
export function createTicker(scheduleList: ScheduleList, serial: Serial, o: Omit<Parts, 'signal'>) {
  const stopping = new AbortController();
  const { signal } = stopping;
  const ticks = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;

  async function tick(): Promise<void> {
    await serial.run(() => scheduleList.refresh());
    if (scheduleList.isReady && !signal.aborted) await tickSchedules(scheduleList.tracking.active(), { ...o, signal });
  }

  function tickSafely(): void {
    const ticking = tick()
      .catch((error: unknown) => {
        if (!isStorageError(error)) o.log.error({ err: error }, 'the schedules could not be read; flwd tries again');
      })
      .finally(() => ticks.delete(ticking));
    ticks.add(ticking);
  }

  return {
    tick,
    start() {
      timer ??= setInterval(tickSafely, tickMs);
    },
    async close() {
      stopping.abort();
      clearInterval(timer);
      await Promise.all(ticks);
      await serial.settled();
    },
  };
}

/** Deals with every schedule that is due. Resolves when what was due has been dealt with. */
async function tickSchedules(all: Iterable<Tracked>, o: Parts): Promise<void> {
  const works: Promise<void>[] = [];
  for (const tracked of all) {
    const nowMs = o.clock.now();
    const { restsUntilMs = 0 } = tracked;
    // If the clock was set back, the pause must not become longer.
    if (restsUntilMs > nowMs && restsUntilMs <= nowMs + longestPauseMs) continue;
    if (!tracked.work && !isDue(tracked, nowMs, o)) continue;
    tracked.work ??= handleAll(tracked, o).finally(() => {
      tracked.work = undefined;
    });
    works.push(tracked.work);
  }
  await Promise.all(works);
}

async function handleAll(tracked: Tracked, o: Parts): Promise<void> {
  try {
    while (!o.signal.aborted && (await handleNext(tracked, o)));
  } catch (error) {
    retryLater(tracked, error, o);
  }
}

/** A schedule whose times cannot be computed is not due, so that it does not stop the others. */
function isDue(tracked: Tracked, nowMs: number, o: Parts): boolean {
  try {
    return dueOf(tracked).startsAtMs <= nowMs || isAhead(tracked, nowMs);
  } catch (error) {
    retryLater(tracked, error, o);
    return false;
  }
}

function retryLater(tracked: Tracked, error: unknown, { log, clock }: Parts): void {
  const fields = { err: error, schedule_id: tracked.schedule.id };
  if (!isStorageError(error)) log.error(fields, 'a schedule failed; flwd tries again');
  pause(tracked, clock.now());
}

/** Deals with the next nominal time. Returns true when there may be more to do at once. */
async function handleNext(tracked: Tracked, o: Parts): Promise<boolean> {
  const { schedule, times, kept, state } = tracked;
  // The schedule was held, disabled or removed while its times were dealt with.
  if (state.idleSinceMs !== null) return false;
  const { nominalAtMs, startsAtMs: startMs } = dueOf(tracked);
  const nowMs = o.clock.now();
  if (isAhead(tracked, nowMs)) return rewind(tracked, nowMs, o);
  if (nominalAtMs === null || startMs > nowMs) return false;
  if (kept !== undefined && kept >= nominalAtMs) return start(tracked, kept, o);
  if (times.isStart || nowMs - startMs <= graceMs) return start(tracked, nominalAtMs, o);

  const missed = missedOf(tracked, nowMs - graceMs, schedule.catchUp === 'last' ? 1 : mostCaughtUp);
  const newest = missed.times.at(-1) ?? nominalAtMs;
  const fields = { schedule_id: schedule.id, job_id: schedule.jobId, nominal_at: toTimestamp(newest) };
  if (schedule.catchUp === 'none') {
    o.log.warn(fields, 'a schedule skips the times it missed, as its catch_up says');
    const times = {
      firstAtMs: nominalAtMs,
      lastAtMs: newest,
      count: missed.times.length,
      hasMore: missed.isCut,
      countedFromMs: missed.times[0] ?? nominalAtMs,
    };
    const detail = missedWords(schedule, times, [await o.downtime(), ...(tracked.gap ? [tracked.gap] : [])]);
    await settleMissed(schedule, newest, { ...o, lastError: null, detail });
    tracked.state = { ...tracked.state, settledAtMs: newest };
    return true;
  }
  if (schedule.catchUp === 'all' && missed.isCut) {
    o.log.warn(
      fields,
      `a schedule missed more than ${mostCaughtUp} times: it catches up on the newest ${mostCaughtUp}`,
    );
  }
  return start(tracked, schedule.catchUp === 'last' ? newest : (missed.times[0] ?? nominalAtMs), o);
}

/**
 * Sets the schedule back to the present after the clock was ahead for a while. Times that have already fired do not
 * fire again. All other times fire.
 */
async function rewind(tracked: Tracked, nowMs: number, { store, log }: Parts): Promise<true> {
  const { id, jobId } = tracked.schedule;
  const fields = { schedule_id: id, job_id: jobId, settled_until: toTimestamp(seenUntilMs(tracked)) };
  log.warn(fields, 'the clock was set back; times that have fired do not fire again');
  const settledAtMs = nowMs - graceMs;
  await store.db.transact((tx) => store.schedules.rewind(tx, id, settledAtMs));
  const sinceMs = Math.min(tracked.state.sinceMs, settledAtMs);
  Object.assign(tracked, { state: { ...tracked.state, sinceMs, settledAtMs }, kept: undefined });
  return true;
}

async function start(tracked: Tracked, nominalAtMs: number, o: Parts): Promise<boolean> {
  const { clock, log } = o;
  const { schedule } = tracked;
  // A schedule that catches up all times keeps trying for as long as it takes.
  const isLastTry = () => schedule.catchUp !== 'all' && nextStartMs(tracked, nominalAtMs) <= clock.now();
  const { outcome, state } = await fireSchedule(schedule, nominalAtMs, isLastTry, o);
  tracked.state = { ...tracked.state, ...state };
  if (outcome !== 'kept') {
    tracked.kept = undefined;
    tracked.pauseMs = undefined;
    return outcome === 'settled';
  }
  if (tracked.kept !== nominalAtMs) {
    const { detail } = tracked.state.lastError ?? { detail: '' };
    const fields = { schedule_id: schedule.id, nominal_at: toTimestamp(nominalAtMs) };
    log.warn(fields, `a schedule will try again to start its run: ${detail}`);
  }
  tracked.kept = nominalAtMs;
  pause(tracked, clock.now());
  return false;
}

/** Pauses longer each time, but never beyond the next nominal time. */
function pause(tracked: Tracked, nowMs: number): void {
  const { kept, pauseMs = shortestPauseMs } = tracked;
  const nextMs = kept === undefined ? Infinity : nextStartMs(tracked, kept);
  tracked.restsUntilMs = Math.min(nowMs + pauseMs, nextMs > nowMs ? nextMs : Infinity);
  tracked.pauseMs = Math.min(2 * pauseMs, longestPauseMs);
}

/** When the run of the next nominal time starts; Infinity when there is no next one. */
function nextStartMs({ schedule, times }: Tracked, nominalAtMs: number): number {
  const next = times.next(nominalAtMs);
  return next === null ? Infinity : startsAtMs(schedule, next, times);
}

/** Whether times that lie further in the future than the grace period have already been dealt with. */
function isAhead(tracked: Tracked, nowMs: number): boolean {
  return seenUntilMs(tracked) > nowMs + graceMs;
}
