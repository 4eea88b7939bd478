// Which schedules are enabled, and the state of every schedule, including those that are disabled or gone.

import { invariant } from '../../domain/problem.ts';
import type { Schedule, ScheduleState } from '../../domain/schedule.ts';
import { parseCron } from '../../lib/cron.ts';
import type { Tracked } from './schedule-due.ts';

export type Tracking = ReturnType<typeof createTracking>;

export function createTracking() {
  const tracked = new Map<string, Tracked>();
  let resting = new Map<string, ScheduleState>();
  const stateOf = (id: string): ScheduleState | undefined => tracked.get(id)?.state ?? resting.get(id);

  return {
    stateOf,
    /** Whether the schedule was enabled at the last change. */
    isActive: (id: string): boolean => stateOf(id)?.idleSinceMs === null,
    /** The states of schedules before any of them is known to be enabled. */
    load(states: Map<string, ScheduleState>): void {
      resting = states;
    },
    /** The ids of schedules that have a state and are not enabled. */
    restingIds: () => [...resting.keys()],
    /** The enabled schedules. */
    active: () => tracked.values(),
    /** Tracks an enabled schedule: from `sinceMs`, or as before without it. */
    track(schedule: Schedule, sinceMs: number | undefined): void {
      const { id } = schedule;
      const before = stateOf(id) ?? blank;
      const state = sinceMs === undefined ? before : { ...before, sinceMs, idleSinceMs: null };
      resting.delete(id);
      const own = tracked.get(id);
      const isSame = own?.schedule.cron === schedule.cron && own.schedule.timezone === schedule.timezone;
      const times = isSame ? own.times : parseCron(schedule.cron, schedule.timezone);
      invariant('next' in times, 'a schedule is checked before it is tracked');
      // Work that is under way keeps the same object, so its findings are not lost.
      if (own) Object.assign(own, { schedule, times, state, due: undefined, kept: isSame ? own.kept : undefined });
      else tracked.set(id, { schedule, times, state });
    },
    /** Keeps the state of a schedule that is no longer enabled. */
    rest(id: string, atMs: number): void {
      const state = stateOf(id);
      tracked.delete(id);
      if (state) resting.set(id, { ...state, idleSinceMs: atMs });
    },
    forget(id: string): void {
      tracked.delete(id);
      resting.delete(id);
    },
  };
}

const blank: ScheduleState = { sinceMs: 0, settledAtMs: null, idleSinceMs: null, lastFire: null, lastError: null };
