// How a schedule looks now: its state, its next times, its last run and what keeps it from starting runs.

import type { ScheduleTerms } from '../../domain/job.ts';
import { Problem } from '../../domain/problem.ts';
import type { Heartbeat, Schedule, ScheduleRun, ScheduleState } from '../../domain/schedule.ts';
import { type ClockChange, nextClockChange } from '../../lib/cron/clock-change.ts';
import { limitsOf } from '../bindings.ts';
import { createMissingSecretsOf } from '../plan/needed-secrets.ts';
import { cursorOf } from './schedule-due.ts';
import type { FireParts } from './schedule-fire.ts';
import type { ScheduleList } from './schedule-list.ts';
import type { TimesOf } from './schedule-times.ts';

export type ScheduleView = {
  readonly schedule: Schedule;
  readonly state: ScheduleState | undefined;
  readonly isHeld: boolean;
  /** True if all schedules of its tenant are paused. */
  readonly isPaused: boolean;
  /** True if no time of the schedule is still to come. */
  readonly isDone: boolean;
  /** Why the job may not have a schedule; null if it may. */
  readonly denied: Problem | null;
  /** The names of the secrets that its runs need, but that its tenant does not have. */
  readonly missingSecrets: readonly string[];
  /** The newest run of the schedule, even if somebody started it by hand. */
  readonly lastRun: ScheduleRun | undefined;
  /** undefined if no run has succeeded since the schedule got its heartbeat. */
  readonly heartbeat: Heartbeat | undefined;
  /** The next nominal times; empty while the schedule is disabled, denied or held. */
  readonly nextFires: () => readonly number[];
  readonly clockChange: () => ClockChange | null;
};

const shownFires = 3;
const ever = { sinceMs: 0, untilMs: Number.MAX_SAFE_INTEGER };

type Parts = Pick<FireParts, 'store' | 'clock' | 'catalog'>;

/** Returns a function that makes the views for one answer. It reads the names of a tenant's secrets only once. */
export function createScheduleViewer(scheduleList: ScheduleList, o: Parts) {
  const { store, clock } = o;
  const missingSecretsOf = createMissingSecretsOf(o);
  return async (schedule: Schedule): Promise<ScheduleView> => {
    const [lastRun] = await store.schedules.runs({ ...ever, scheduleId: schedule.id, most: 1 });
    const heartbeat = schedule.heartbeat === undefined ? undefined : await store.heartbeats.find(schedule.id);
    const missingSecrets = await missingSecretsOf(schedule);
    return withMaker({ ...computedView(schedule, scheduleList, clock.now()), lastRun, heartbeat, missingSecrets }, o);
  };
}

type Computed = Omit<ScheduleView, 'lastRun' | 'heartbeat' | 'missingSecrets'>;

function computedView(schedule: Schedule, scheduleList: ScheduleList, nowMs: number): Computed {
  const { tracking, timesOf } = scheduleList;
  const state = tracking.stateOf(schedule.id);
  const isHeld = tracking.isHeld(schedule);
  const afterMs = Math.max(nowMs, state?.settledAtMs ?? 0, state?.notBeforeMs ?? 0);
  const nextFires = () => (tracking.mayFire(schedule) ? nextTimes(schedule, timesOf, afterMs, shownFires) : []);
  const clockChange = () => clockChangeOf(schedule, nowMs);
  const denied = tracking.denialOf(schedule) ?? null;
  const isPaused = scheduleList.pauses.isPaused(schedule.tenant);
  return {
    schedule,
    state,
    isHeld,
    isPaused,
    isDone: isDone(schedule, state, timesOf),
    denied,
    nextFires,
    clockChange,
  };
}

/** A schedule starts nothing once the token that made it has ended (ADR 0067). */
async function withMaker(view: ScheduleView, o: Parts): Promise<ScheduleView> {
  try {
    await limitsOf(view.schedule.boundTo, o);
    return view;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { ...view, denied: view.denied ?? error, nextFires: () => [] };
  }
}

/** Whether each of the schedule's times has been dealt with, or had passed before the schedule began. */
function isDone(schedule: Schedule, state: ScheduleState | undefined, timesOf: TimesOf): boolean {
  const times = timesOf(schedule);
  if (!('next' in times) || times.isStart) return false;
  return times.next(state ? cursorOf({ state }) : 0) === null;
}

export function clockChangeOf({ cron, timezone }: ScheduleTerms, nowMs: number): ClockChange | null {
  return cron === null ? null : nextClockChange({ cron, timezone }, nowMs);
}

/** At most `count` nominal times after `afterMs`. Empty if the times cannot be computed. */
export function nextTimes(terms: ScheduleTerms, timesOf: TimesOf, afterMs: number, count: number): number[] {
  const times = timesOf(terms);
  const found: number[] = [];
  if ('problem' in times) return found;
  for (let at = times.next(afterMs); at !== null && found.length < count; at = times.next(at)) found.push(at);
  return found;
}
