// Knows which schedules fire, and the state of every schedule, even if it is held, disabled or gone.

import type { Problem } from '../../domain/problem.ts';
import type { Schedule, ScheduleState } from '../../domain/schedule.ts';
import type { CronTimes } from '../../lib/cron/cron.ts';
import type { Gap } from './missed-words.ts';
import type { Tracked } from './schedule-due.ts';

export type Tracking = ReturnType<typeof createTracking>;

/** A schedule that does not fire now, and may never have fired. */
type Resting = Partial<Tracked> & Pick<Tracked, 'state'>;

/**
 * @param timesOf the times of a schedule that has been checked
 * @param denialOf why the job may not have a schedule
 * @param isPaused whether all schedules of a tenant are paused
 */
export function createTracking(
  timesOf: (schedule: Schedule) => CronTimes,
  denialOf: (schedule: Schedule) => Problem | undefined,
  isPaused: (tenant: string) => boolean,
) {
  const tracked = new Map<string, Tracked>();
  const resting = new Map<string, Resting>();
  const ownOf = (id: string): Resting | undefined => tracked.get(id) ?? resting.get(id);
  const stateOf = (id: string): ScheduleState | undefined => ownOf(id)?.state;
  /** Whether the schedule is held. The last hold or release decides. If there was neither, its config.yaml decides. */
  const isHeld = ({ id, held }: Schedule): boolean => stateOf(id)?.held ?? held;
  /** Whether the schedule would fire if it were not held. */
  const isOn = (schedule: Schedule): boolean =>
    schedule.enabled && !isPaused(schedule.tenant) && denialOf(schedule) === undefined;

  return {
    stateOf,
    isHeld,
    denialOf,
    isOn,
    mayFire: (schedule: Schedule): boolean => isOn(schedule) && !isHeld(schedule),
    /** Whether the schedule fires, as of the last change. */
    isActive: (id: string): boolean => stateOf(id)?.idleSinceMs === null,
    /** Takes the stored states of schedules, before it is known which schedules fire. */
    load(states: Map<string, ScheduleState>): void {
      for (const [id, state] of states) resting.set(id, { state });
    },
    /** The job that the state of the schedule names. If it names no job, an empty text, which is the id of no job. */
    jobOf: (id: string): string => stateOf(id)?.jobId ?? '',
    /** The ids of schedules that have a state and do not fire. */
    restingIds: () => [...resting.keys()],
    /** The schedules that fire. */
    active: () => tracked.values(),
    track(schedule: Schedule, changes: Partial<ScheduleState> = {}): void {
      const { id } = schedule;
      // The object is changed and not replaced, because work that is under way may still write its result to it.
      const own = ownOf(id) ?? { state: blank };
      const isSame = own.schedule !== undefined && timesKey(own.schedule) === timesKey(schedule);
      const times = (isSame && own.times) || timesOf(schedule);
      const state = { ...own.state, ...changes, jobId: schedule.jobId };
      resting.delete(id);
      const kept = isSame ? own.kept : undefined;
      tracked.set(id, Object.assign(own, { schedule, times, state, due: undefined, kept }));
    },
    /** Keeps the state of a schedule that no longer fires. */
    rest(id: string, changes: Partial<ScheduleState>): void {
      const own = ownOf(id) ?? { state: blank };
      resting.set(id, Object.assign(own, { state: { ...own.state, ...changes }, kept: undefined }));
      tracked.delete(id);
    },
    /** Keeps the state of a schedule whose job cannot be read. */
    lose(id: string, { fromMs, why }: Pick<Gap, 'fromMs' | 'why'>): void {
      const own = ownOf(id) ?? { state: blank };
      resting.set(id, Object.assign(own, { kept: undefined, gap: { fromMs, toMs: Infinity, isExact: true, why } }));
      tracked.delete(id);
    },
    /** The job of the schedule can be read again. */
    foundAgain(id: string, toMs: number): void {
      const own = ownOf(id);
      if (own?.gap?.toMs === Infinity) own.gap = { ...own.gap, toMs };
    },
    forget(id: string): void {
      tracked.delete(id);
      resting.delete(id);
    },
  };
}

/** What decides when a schedule fires. */
function timesKey({ cron, atMs, timezone, calendar, except }: Schedule): string {
  return JSON.stringify([cron, atMs, timezone, calendar, except]);
}

const blank: ScheduleState = {
  sinceMs: 0,
  settledAtMs: null,
  idleSinceMs: null,
  held: null,
  notBeforeMs: null,
  lastFire: null,
  lastError: null,
  jobId: null,
};
