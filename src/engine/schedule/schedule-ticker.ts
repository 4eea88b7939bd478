// Looks at the clock and deals with the nominal times that have come: starts their runs, or, where they were missed, does what
// `catch_up` says. Each schedule on its own, its times one after the other (ADR 0011).

import { type Clock, toTimestamp } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Store } from '../../store/open.ts';
import { cursorOf, dueOf, missedOf, startsAtMs, type Tracked } from './schedule-due.ts';
import type { Firing } from './schedule-fire.ts';

/** Up to this late a nominal time is on time: a quick restart, a busy machine. */
const graceMs = 30_000;
const mostCaughtUp = 100;
const shortestPauseMs = 1_000;
/** Less than the grace, so that a pause makes nothing late. */
const longestPauseMs = 20_000;

export function createTicker(o: {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly firing: Firing;
  readonly signal: AbortSignal;
}): { readonly look: (all: Iterable<Tracked>) => Promise<void> } {
  const { store, clock, log } = o;

  /** True: there may be more to do at once. */
  async function deal(tracked: Tracked): Promise<boolean> {
    const { schedule } = tracked;
    const { nominalAtMs, startsAtMs: startMs } = dueOf(tracked);
    const nowMs = clock.now();
    if (isAhead(tracked, nowMs)) return rewind(tracked, nowMs);
    if (nominalAtMs === null || startMs > nowMs) return false;
    const { kept } = tracked;
    if (kept !== undefined && kept >= nominalAtMs) return start(tracked, kept);
    if (nowMs - startMs <= graceMs) return start(tracked, nominalAtMs);

    const missed = missedOf(tracked, nowMs - graceMs, schedule.catchUp === 'all' ? mostCaughtUp : 1);
    const newest = missed.times.at(-1) ?? nominalAtMs;
    const told = { schedule_id: schedule.id, job_id: schedule.jobId, nominal_at: toTimestamp(newest) };
    if (schedule.catchUp === 'none') {
      log.warn(told, 'a schedule passes over what it missed; catch_up is none');
      await store.db.transact((tx) => store.schedules.settle(tx, schedule.id, newest, null));
      tracked.state = { ...tracked.state, settledAtMs: newest };
      return true;
    }
    if (schedule.catchUp === 'all' && missed.isCut) {
      log.warn(told, `a schedule missed more than ${mostCaughtUp} times: the newest ${mostCaughtUp} are caught up`);
    }
    return start(tracked, schedule.catchUp === 'last' ? newest : (missed.times[0] ?? nominalAtMs));
  }

  /** The clock was ahead for a while. What fired then does not fire again; what did not, does. */
  async function rewind(tracked: Tracked, nowMs: number): Promise<true> {
    const { schedule } = tracked;
    const told = { schedule_id: schedule.id, job_id: schedule.jobId, settled_until: toTimestamp(cursorOf(tracked)) };
    log.warn(told, 'the clock was set back; times that have fired do not fire again');
    const settledAtMs = nowMs - graceMs;
    await store.db.transact((tx) => store.schedules.rewind(tx, schedule.id, settledAtMs));
    const sinceMs = Math.min(tracked.state.sinceMs, settledAtMs);
    Object.assign(tracked, { state: { ...tracked.state, sinceMs, settledAtMs }, kept: undefined });
    return true;
  }

  async function start(tracked: Tracked, nominalAtMs: number): Promise<boolean> {
    const { schedule, times } = tracked;
    const isLastTry = () => {
      // Who wants all of them waits for as long as it takes.
      if (schedule.catchUp === 'all') return false;
      const next = times.next(nominalAtMs);
      return next !== null && startsAtMs(schedule, next, times) <= clock.now();
    };
    const { outcome, state } = await o.firing.start(schedule, nominalAtMs, isLastTry);
    tracked.state = { ...tracked.state, ...state };
    if (outcome === 'kept') return rest(tracked, nominalAtMs);
    tracked.kept = undefined;
    tracked.pauseMs = undefined;
    return outcome === 'settled';
  }

  function rest(tracked: Tracked, nominalAtMs: number): false {
    if (tracked.kept !== nominalAtMs) {
      const { detail } = tracked.state.lastError ?? { detail: '' };
      const told = { schedule_id: tracked.schedule.id, nominal_at: toTimestamp(nominalAtMs) };
      log.warn(told, `a schedule will try again to start its run: ${detail}`);
    }
    tracked.kept = nominalAtMs;
    pause(tracked);
    return false;
  }

  /** For longer each time, but not beyond the next nominal time. */
  function pause(tracked: Tracked): void {
    const { schedule, times, kept, pauseMs = shortestPauseMs } = tracked;
    const nowMs = clock.now();
    const next = kept === undefined ? null : times.next(kept);
    const nextMs = next === null ? Infinity : startsAtMs(schedule, next, times);
    tracked.restsUntilMs = Math.min(nowMs + pauseMs, nextMs > nowMs ? nextMs : Infinity);
    tracked.pauseMs = Math.min(2 * pauseMs, longestPauseMs);
  }

  async function dealWithAll(tracked: Tracked): Promise<void> {
    try {
      while (!o.signal.aborted && (await deal(tracked)));
    } catch (error) {
      log.error({ err: error, schedule_id: tracked.schedule.id }, 'a schedule could not be dealt with; tried again');
      pause(tracked);
    }
  }

  return {
    async look(all) {
      const works: Promise<void>[] = [];
      for (const tracked of all) {
        const nowMs = clock.now();
        const { restsUntilMs = 0 } = tracked;
        // A clock that was set back must not make it rest for longer.
        if (restsUntilMs > nowMs && restsUntilMs <= nowMs + longestPauseMs) continue;
        if (!tracked.work && dueOf(tracked).startsAtMs > nowMs && !isAhead(tracked, nowMs)) continue;
        tracked.work ??= dealWithAll(tracked).finally(() => {
          tracked.work = undefined;
        });
        works.push(tracked.work);
      }
      await Promise.all(works);
    },
  };
}

/** By more than what is on time anyway. */
function isAhead(tracked: Tracked, nowMs: number): boolean {
  return cursorOf(tracked) > nowMs + graceMs;
}
