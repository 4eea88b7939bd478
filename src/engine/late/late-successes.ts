// Watches jobs that expect a success by a time of day, or at least once in each span of time. Finds successes that did
// not come in time. The watch of a job begins when flwd first sees its expectation, and begins again after a pause.

import type { Late } from '../../domain/outcome/late.ts';
import { invariant } from '../../domain/problem.ts';
import { toTimestamp } from '../../lib/clock.ts';
import { type CronTimes, parseCron } from '../../lib/cron/cron.ts';
import { zonedTime } from '../../lib/cron/zoned-time.ts';
import { formatDuration } from '../../lib/units.ts';
import type { ExpectingJob, NewLate } from '../../store/late.ts';
import type { Expecting, LateParts, MayReturn } from './late-parts.ts';

type Watched = Expecting & { readonly sinceMs: number; nextByMs: number; nextEveryMs: number };

export type SuccessWatch = ReturnType<typeof createSuccessWatch>;

/** The length of the longest day, on which the clocks are set back. */
const longestDayMs = 25 * 3_600_000;

type Parts = Pick<LateParts, 'store' | 'clock' | 'timezone' | 'defaultTenant'> & {
  /** Stores that a job is late. Returns false if that is stored already. */
  readonly add: (late: NewLate) => Promise<boolean>;
  /** Opens a stored entry again if it has ended. Notifies nobody. */
  readonly reopen: (late: NewLate) => Promise<void>;
};

export function createSuccessWatch(o: Parts) {
  const { store, clock, timezone } = o;
  let watched: Watched[] = [];
  let nextMs = Infinity;

  /** Returns when flwd began to expect a success of each job. That time is stored, so a restart does not change it. */
  async function sinceOf(jobs: readonly Expecting[]): Promise<ReadonlyMap<string, number>> {
    const stored = new Map((await store.late.expecting()).map((job) => [job.jobId, job]));
    const wanted = new Map(jobs.map((job) => [job.jobId, termsOf(job)]));
    const begun = [...wanted].flatMap(([jobId, terms]): ExpectingJob[] =>
      stored.get(jobId)?.terms === terms ? [] : [{ jobId, terms, sinceMs: clock.now() }],
    );
    const ended = [...stored.keys()].filter((jobId) => !wanted.has(jobId));
    if (begun.length + ended.length > 0) await store.db.transact((tx) => store.late.setExpecting(tx, { begun, ended }));
    return new Map([...stored.values(), ...begun].map(({ jobId, sinceMs }) => [jobId, sinceMs]));
  }

  return {
    /**
     * Sets the jobs to watch. A job that is left out, because it is disabled or paused, starts over when it comes back.
     * While a job is broken or its folder is missing, its watch continues.
     */
    async watch(jobs: readonly Expecting[], mayReturn: MayReturn): Promise<void> {
      const kept = (await store.late.expecting()).filter(({ jobId }) => mayReturn(jobId)).map(fromStored);
      const expecting = [...jobs, ...kept].filter(
        ({ expect, isEnabled }) => isEnabled && (expect.by !== null || expect.everyMs !== null),
      );
      const since = await sinceOf(expecting);
      const nowMs = clock.now();
      watched = expecting.map((job) => {
        const { by, everyMs } = job.expect;
        const sinceMs = since.get(job.jobId) ?? nowMs;
        // If a time passed while no server was running, it is checked now.
        const nextByMs = by === null ? null : timesAt(by, timezone).next(Math.max(sinceMs, nowMs - longestDayMs));
        return { ...job, sinceMs, nextByMs: nextByMs ?? Infinity, nextEveryMs: everyMs === null ? Infinity : 0 };
      });
      nextMs = 0;
    },
    /**
     * Returns false if the job was late before it was disabled, paused or changed, or if it no longer expects a
     * success.
     */
    isExpected: ({ jobId, atMs }: Late): boolean => {
      const job = watched.find((one) => one.jobId === jobId);
      return job !== undefined && atMs >= job.sinceMs;
    },
    async look(nowMs: number): Promise<void> {
      if (nowMs < nextMs) return;
      for (const job of watched) {
        // More than one day may have passed since the last check.
        while (job.nextByMs <= nowMs) await checkBy(job, nowMs, o);
        if (job.nextEveryMs <= nowMs) await checkEvery(job, nowMs, o);
      }
      nextMs = watched.reduce((next, job) => Math.min(next, job.nextByMs, job.nextEveryMs), Infinity);
    },
  };
}

async function checkBy(job: Watched, nowMs: number, o: Parts): Promise<void> {
  const { timezone, defaultTenant: tenant } = o;
  const { jobId } = job;
  const by = job.expect.by ?? '';
  const toMs = job.nextByMs;
  const fromMs = lastBefore(timesAt('00:00', timezone), toMs);
  if (!(await o.store.late.hasSuccess({ tenant, jobId }, { fromMs, toMs }))) {
    const detail = `No run has succeeded by ${by} (${timezone}).`;
    await o.add({ tenant, jobId, kind: 'by', key: toTimestamp(toMs), atMs: nowMs, ...ofJob, detail });
  }
  job.nextByMs = timesAt(by, timezone).next(toMs) ?? Infinity;
}

async function checkEvery(job: Watched, nowMs: number, o: Parts): Promise<void> {
  const { defaultTenant: tenant } = o;
  const { jobId, sinceMs } = job;
  const everyMs = job.expect.everyMs ?? Infinity;
  const lastMs = await o.store.late.lastSuccessAtMs({ tenant, jobId });
  const baseMs = Math.max(lastMs ?? 0, sinceMs);
  job.nextEveryMs = baseMs + everyMs;
  if (job.nextEveryMs > nowMs) return;
  // If the job succeeds before the next check, that check finds the success.
  job.nextEveryMs = nowMs + everyMs;
  // The key names the last success and not the start of the span: otherwise the same delay would be reported again
  // after a pause.
  const key = lastMs === null ? 'none' : toTimestamp(lastMs);
  const detail = everyWords({ lastMs, sinceMs, every: formatDuration(everyMs), timezone: o.timezone });
  const late: NewLate = { tenant, jobId, kind: 'every', key, atMs: nowMs, ...ofJob, detail };
  if (!(await o.add(late))) await o.reopen(late);
}

function everyWords(o: {
  readonly lastMs: number | null;
  readonly sinceMs: number;
  readonly every: string;
  readonly timezone: string;
}): string {
  const { lastMs, sinceMs, every, timezone } = o;
  if (lastMs === null) return `No run has succeeded yet; a success is expected every ${every}.`;
  if (lastMs < sinceMs)
    return `No run has succeeded since ${zonedTime(sinceMs, timezone)}, when flwd began to expect a success every ${every}.`;
  return `The last success was at ${zonedTime(lastMs, timezone)}; a success is expected every ${every}.`;
}

const ofJob = { runId: null, scheduleId: null } as const;

function termsOf({ expect: { by, everyMs } }: Expecting): string {
  return JSON.stringify([by, everyMs]);
}

function fromStored({ jobId, terms }: ExpectingJob): Expecting {
  const [by, everyMs]: [string | null, number | null] = JSON.parse(terms);
  return { jobId, expect: { durationMs: null, by, everyMs }, isEnabled: true };
}

function timesAt(time: string, timezone: string): CronTimes {
  const [hours, minutes] = time.split(':').map(Number);
  const times = parseCron(`${minutes} ${hours} * * *`, timezone);
  invariant('next' in times, 'a time of day is a pattern');
  return times;
}

function lastBefore(times: CronTimes, atMs: number): number {
  let found = atMs - longestDayMs;
  for (let next = times.next(found - 1); next !== null && next < atMs; next = times.next(next)) found = next;
  return found;
}
