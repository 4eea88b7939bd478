// An engine whose clock stands still until the test moves it, and the runs that its schedules have started.

import { expect } from 'vitest';
import type { JobSchedule } from '../../src/domain/job.ts';
import { bash, type JobFiles } from '../support/jobs.ts';
import { type Opened, openEngine } from './an-engine.ts';

export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;

export type Clocked = Opened & {
  /** Sets the clock, and handles what is due then. */
  readonly at: (time: string | number) => Promise<void>;
  /** Moves the clock forward in steps, as on a server that runs. */
  readonly walk: (until: string, stepMs: number) => Promise<void>;
  /** The nominal times of the runs of a job, oldest first. */
  readonly fires: (jobId: string) => Promise<string[]>;
};

export function scheduled(
  ...schedules: readonly Partial<Record<keyof JobSchedule | 'catch_up' | 'jitter', unknown>>[]
): JobFiles {
  return bash('true', { schedules });
}

export async function openClocked(
  root: string,
  start: string,
  o: Omit<NonNullable<Parameters<typeof openEngine>[1]>, 'clock'> = {},
): Promise<Clocked> {
  let nowMs = Date.parse(start);
  const opened = await openEngine(root, { ...o, clock: { now: () => nowMs, monotonicMs: () => nowMs } });
  const { engine, store } = opened;
  const at: Clocked['at'] = async (time) => {
    nowMs = typeof time === 'string' ? Date.parse(time) : time;
    await engine.schedules.tick();
  };
  await at(nowMs);
  return {
    ...opened,
    at,
    async walk(until, stepMs) {
      while (nowMs < Date.parse(until)) await at(nowMs + stepMs);
    },
    async fires(jobId) {
      const { runs } = await store.runs.list({ jobId, limit: 1_000 });
      expect(runs).toSatisfy((all: typeof runs) => all.every(({ trigger }) => trigger.type === 'schedule'));
      return runs.map(({ labels }) => labels.nominal_at?.replace(':00.000Z', 'Z') ?? '').toReversed();
    },
  };
}
