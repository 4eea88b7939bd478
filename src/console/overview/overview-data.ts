// The data of the overview. Events of runs refresh the parts that they concern, but each part at most every few
// seconds, because the page is open all day and must cost the server little.

import { keepPreviousData } from '@tanstack/react-query';
import { useMemo } from 'react';
import type { Frame } from '../../client/resuming-stream.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import type { StatsRange } from '../../contract/stats-range.ts';
import { useUnderWay, useUnderWayEvents } from '../runs/under-way.ts';
import { type Answer, useAnswer } from '../session/answers.tsx';
import { useNow } from '../session/clock.ts';
import { lateKey } from '../session/late.ts';
import { useRefreshOn } from '../session/refresh-on.ts';
import { useScopes } from '../session/scopes.ts';
import type { RunRow } from '../words.ts';

export type Stats = AnswerOf<'getStats'>;
export type Fires = AnswerOf<'listScheduleFires'>;

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const settleMs = 5_000;
const slotsMs = 10_000;
/** One more run changes the figures little, so the figures are read less often than the rest. */
const figuresMs = 30_000;
/** The figures change with the time, so they are read again even without an event. */
const idleFiguresMs = 5 * minuteMs;
const readFailures = 200;

const root = 'overview';

/** Refreshes the parts of the page. Call it once. */
export function useOverviewEvents(): void {
  // The sidebar already keeps the list of running runs up to date, for its number beside "Runs".
  useUnderWayEvents('pending');
  useRefreshOn([root, 'slots'], ({ event }) => event === 'run.started' || event === 'run.finished', {
    settleMs: slotsMs,
  });
  useRefreshOn([root, 'failures'], hasFailed, { settleMs });
  useRefreshOn(lateKey, ({ event }) => event === 'run.finished', { settleMs: figuresMs });
  useRefreshOn([root, 'fixed'], ({ event }) => event === 'run.finished', { settleMs: figuresMs });
  useRefreshOn([root, 'stats'], ({ event }) => event === 'run.finished', { settleMs: figuresMs });
}

function hasFailed({ event, data }: Frame): boolean {
  return event === 'run.finished' && data.status === 'failed';
}

export function useStats(range: StatsRange, namespace: string | null): Answer<Stats> {
  const query = { range, ...(namespace !== null && { namespace }) };
  return useAnswer([root, 'stats', query], (client, signal) => client.call('getStats', { query, signal }), {
    refetchInterval: idleFiguresMs,
    placeholderData: keepPreviousData,
  });
}

type UnderWay = { readonly running: readonly RunRow[]; readonly pending: readonly RunRow[]; readonly waiting: number };

/**
 * The runs in progress without those that wait for an approval, and the runs that wait to start. The oldest run comes
 * first.
 */
export function useOverviewRuns(): UnderWay | undefined {
  const { data: running } = useUnderWay('running');
  const { data: pending } = useUnderWay('pending');
  return useMemo(
    () =>
      running &&
      pending && {
        running: running.runs.filter((run) => run.waiting_approval.length === 0).toReversed(),
        pending: pending.runs.toReversed(),
        waiting: pending.total,
      },
    [running, pending],
  );
}

/** How many processes run, and how many may run at once. */
export type Slots = { readonly running: number; readonly concurrency: number };

/** null: no server executes runs. */
export function useSlots(): Answer<Slots | null> {
  return useAnswer(
    [root, 'slots'],
    async (client, signal) => (await client.call('listWorkers', { signal })).workers[0] ?? null,
    {
      enabled: useScopes()('jobs:read') === true,
    },
  );
}

export type Failures = { readonly runs: readonly RunRow[]; readonly total: number };

/** The failed runs of the last 24 hours, newest first. */
export function useFailures(namespace: string | null): Answer<Failures> {
  return useAnswer([root, 'failures', namespace], (client, signal) => {
    const since = new Date(Date.now() - dayMs).toISOString();
    const query = { status: 'failed', top_level: true, since, limit: readFailures } as const;
    return client.call('listRuns', { query: { ...query, ...(namespace !== null && { prefix: namespace }) }, signal });
  });
}

/** The ids of the last run of each fixed failure. Read only if there are failures. */
export function useFixed({ data }: Answer<Failures>): ReadonlySet<string> | undefined {
  const query = { state: 'fixed', limit: readFailures } as const;
  return useAnswer(
    [root, 'fixed'],
    async (client, signal) => {
      const { failures } = await client.call('listFailures', { query, signal });
      return new Set(failures.map(({ last_run: last }) => last.run_id));
    },
    { enabled: data !== undefined && data.total > 0 },
  ).data;
}

/** Times of schedules, from two hours ago to a day from now. */
export function useNextDay(): Answer<Fires> & { readonly fromMs: number; readonly toMs: number } {
  const now = useNow(minuteMs);
  const roundMs = now - (now % (10 * minuteMs));
  const [fromMs, toMs] = [roundMs - 2 * hourMs, roundMs + dayMs];
  const may = useScopes()('jobs:read') === true;
  const query = { since: new Date(fromMs).toISOString(), until: new Date(toMs).toISOString(), limit: 500 };
  const answer = useAnswer(
    [root, 'fires', query.since],
    (client, signal) => client.call('listScheduleFires', { query, signal }),
    // The span moves every ten minutes. The last answer stays until the next one arrives.
    { enabled: may, refetchInterval: minuteMs, placeholderData: keepPreviousData },
  );
  return {
    data: answer.data,
    error: answer.error,
    failureReason: answer.failureReason,
    refetch: answer.refetch,
    fromMs,
    toMs,
  };
}

/** The pauses that are in force for all schedules. */
export function usePauses(): AnswerOf<'listSchedules'>['pauses'] {
  const may = useScopes()('jobs:read') === true;
  const { data } = useAnswer(
    ['schedules', 'pauses'],
    async (client, signal) => (await client.call('listSchedules', { query: { limit: 1 }, signal })).pauses,
    { enabled: may, refetchInterval: minuteMs },
  );
  return data ?? [];
}

/** The ids of all jobs. They rarely change. */
export function useJobIds(): readonly string[] | undefined {
  const may = useScopes()('jobs:read') === true;
  return useAnswer(
    [root, 'jobs'],
    async (client, signal) => (await client.call('listJobs', { signal })).jobs.map(({ id }) => id),
    { enabled: may, staleTime: 10 * minuteMs },
  ).data;
}
