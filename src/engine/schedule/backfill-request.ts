// Finds the times for which a backfill starts runs, and everything that is wrong with a request for a backfill (ADR
// 0076).

import { bindingOf, type Principal } from '../../domain/principal.ts';
import { Problem, validationError } from '../../domain/problem.ts';
import type { Schedule } from '../../domain/schedule.ts';
import type { Clock } from '../../lib/clock.ts';
import type { CronTimes } from '../../lib/cron/cron.ts';
import { createYielder } from '../../lib/yielder.ts';
import type { Store } from '../../store/open.ts';
import { limitsOf } from '../bindings.ts';
import type { FireParts } from './schedule-fire.ts';
import type { ScheduleList } from './schedule-list.ts';

export type BackfillRequest = {
  readonly fromMs: number;
  /** The end, which is not included; by default, now. */
  readonly untilMs: number | undefined;
};

export type BackfillTimes = {
  readonly fromMs: number;
  readonly untilMs: number;
  /** The nominal times that lack a run, oldest first. */
  readonly times: readonly number[];
  /** How many nominal times have a run already. */
  readonly leftOut: number;
};

type Parts = {
  readonly store: Store;
  readonly clock: Clock;
  readonly catalog: FireParts['catalog'];
  readonly scheduleList: Pick<ScheduleList, 'tracking' | 'timesOf'>;
};

const mostTimes = 1_000;
/** The most nominal times that are counted. Each takes about 0.1 ms. */
const mostCounted = 5_000;

/** @throws Problem permission-denied, source-untrusted, job-invalid, validation-error */
export async function findBackfillTimes(
  schedule: Schedule,
  { fromMs, untilMs: asked }: BackfillRequest,
  by: Principal,
  o: Parts,
): Promise<BackfillTimes> {
  const denial = o.scheduleList.tracking.denialOf(schedule);
  if (denial) throw denial;
  assertMayBackfill(schedule, by);
  await limitsOf(schedule.boundTo, o);
  const nowMs = o.clock.now();
  const untilMs = asked ?? nowMs;
  if (untilMs > nowMs) throw invalid('/until', 'must not be in the future');
  if (fromMs >= untilMs) throw invalid('/from', 'must be before `until`');
  const found = await timesBetween(timesToRepeat(schedule, o), fromMs, untilMs);
  if (found.length === 0)
    throw invalid('/from', 'must be earlier, because the schedule has no time between it and `until`');
  if (found.length > mostTimes) {
    const count = found.length > mostCounted ? `more than ${mostCounted}` : found.length;
    throw invalid(
      '/from',
      `is too early: ${count} times come before \`until\`, and one backfill may have at most ${mostTimes}`,
    );
  }
  const withRun = await o.store.schedules.withRun(schedule.id, found);
  return { fromMs, untilMs, times: found.filter((atMs) => !withRun.has(atMs)), leftOut: withRun.size };
}

function timesToRepeat(schedule: Schedule, { scheduleList }: Parts): CronTimes {
  const times = scheduleList.timesOf(schedule);
  const cannot = 'so there is nothing to backfill: use `flwd schedules run`';
  if (schedule.atMs !== null) throw invalid('', `the schedule has a single time (\`at\`), ${cannot}`);
  if ('problem' in times) throw new Problem('job-invalid', `The pattern \`${schedule.cron}\` ${times.problem}.`);
  if (times.isStart) throw invalid('', `\`${schedule.cron}\` has no times, ${cannot}`);
  return times;
}

/** Returns at most `mostCounted` + 1 times. */
async function timesBetween(times: CronTimes, fromMs: number, untilMs: number): Promise<number[]> {
  const found: number[] = [];
  const maybeYield = createYielder();
  for (let at = times.next(fromMs - 1); at !== null && at < untilMs; at = times.next(at)) {
    found.push(at);
    if (found.length > mostCounted) break;
    await maybeYield();
  }
  return found;
}

/**
 * A schedule that a limited caller has made gives its runs that caller's limits. Another limited caller, who may have
 * other limits, may not backfill it.
 */
function assertMayBackfill({ id, boundTo }: Schedule, by: Principal): void {
  const binding = bindingOf(by);
  if (!binding || !boundTo) return;
  if (binding.tokenId === boundTo.tokenId && binding.isAgent === boundTo.isAgent) return;
  throw new Problem(
    'permission-denied',
    `The schedule '${id}' was made by another limited caller, and a limited token may backfill only its own schedules.`,
  );
}

function invalid(pointer: string, message: string): Problem {
  return validationError([{ pointer, message, keyword: 'range' }]);
}
