// The data of the Schedules page: the schedules, and what they started, missed and will start in a span of time.

import type { AnswerOf } from '../../contract/operations.ts';
import { type Answer, useAnswer } from '../session/answers.tsx';
import { inZone } from '../words.ts';

export type Schedule = AnswerOf<'listSchedules'>['schedules'][number];
export type Fires = AnswerOf<'listScheduleFires'>;
export type Fire = Fires['fires'][number];
export type Frequent = Fires['frequent'][number];

/** When a schedule next starts its job, and its time zone. */
export type NextTime = { readonly at: string; readonly zone: string };

/** The coming times of schedules that are enabled and not held, the earliest first. */
export function nextTimes(schedules: readonly Schedule[]): readonly NextTime[] {
  return schedules
    .filter(isOn)
    .flatMap(({ next_fires: fires, timezone: zone }) => fires.map(({ nominal_at: at }) => ({ at, zone })))
    .toSorted((a, b) => (a.at < b.at ? -1 : 1));
}

/** How often schedules are read. No event reports that a schedule has changed or fired. */
const everyMs = 15_000;

export function useSchedules(): Answer<AnswerOf<'listSchedules'>> {
  return useAnswer(['schedules', 'all'], (client, signal) => client.call('listSchedules', { signal }), {
    refetchInterval: everyMs,
  });
}

/** In the answer, `run` is `null` for callers who may not read runs. */
export function useFires(since: Date, until: Date): Answer<Fires> {
  const query = { since: since.toISOString(), until: until.toISOString(), limit: 5_000 };
  return useAnswer(
    ['fires', query.since, query.until],
    (client, signal) => client.call('listScheduleFires', { query, signal }),
    { refetchInterval: everyMs },
  );
}

export type Tally = { readonly succeeded: number; readonly ended: number; readonly missed: number };

/** Counts the results of runs by schedule. */
export function tallies({ fires, frequent }: Fires): ReadonlyMap<string, Tally> {
  const found = new Map<string, Tally>();
  for (const { schedule_id: id, runs, missed } of frequent)
    found.set(id, { succeeded: runs.success, ended: runs.success + runs.failed, missed });
  for (const { schedule_id: id, run, state } of fires) {
    const { succeeded, ended, missed } = found.get(id) ?? { succeeded: 0, ended: 0, missed: 0 };
    const isSuccess = run?.status === 'success';
    found.set(id, {
      succeeded: succeeded + (isSuccess ? 1 : 0),
      ended: ended + (isSuccess || run?.status === 'failed' ? 1 : 0),
      missed: missed + (state === 'missed' ? 1 : 0),
    });
  }
  return found;
}

/** Whether the schedule starts runs at its times. */
export function isOn({ enabled, held, paused, denied }: Schedule): boolean {
  return enabled && !held && !paused && denied === null;
}

/** The stored secrets that its next runs lack. */
export function missingSecretsOf({ enabled, done, missing_secrets: missing }: Schedule): readonly string[] {
  return enabled && !done ? missing : [];
}

/** A short name for the schedule: its own name, or else the name of its job. */
export function shortName({ name, job_id: jobId }: Pick<Schedule, 'name' | 'job_id'>): string {
  return name ?? jobId.slice(jobId.lastIndexOf('/') + 1);
}

/** Returns, for example, "Every day at 02:30", with the time zone if it is not the page's. */
export function sentenceWords({ sentence, timezone }: Pick<Schedule, 'sentence' | 'timezone'>): string {
  return inZone(sentence, timezone);
}

export function argumentWords({ args }: Pick<Schedule, 'args'>): string[] {
  return Object.entries(args).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
}
