// The last runs of the jobs whose rows are drawn. They are read when a row appears, and again after an event of its
// job.

import { useMemo, useRef } from 'react';
import type { Client } from '../../client/client.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { useAnswer, useRefresh } from '../session/answers.tsx';
import { longestAnswerMs, useClient } from '../session/session.tsx';
import { useRunEvents } from '../session/streams.ts';

/** Newest first. null: the caller may not read them. */
type Runs = NonNullable<AnswerOf<'listJobs'>['jobs'][number]['last_runs']> | null;

export type ReadLastRuns = (jobId: string, signal: AbortSignal) => Promise<Runs>;

const shown = 8;
/** A job that runs all the time is read once a second at most. */
const settleMs = 1_000;
/** The ids are part of the request's URL. */
const mostIds = 100;
const mostChars = 6_000;
const telling = new Set(['run.created', 'run.started', 'run.finished']);

/** Joins the reads of many rows into few requests, one at a time. */
function createReader(client: Client): ReadLastRuns {
  type Row = PromiseWithResolvers<Runs> & { readonly signal: AbortSignal };
  const waiting = new Map<string, Row>();
  let isReading = false;

  async function readWaiting(): Promise<void> {
    isReading = true;
    for (let rows = nextRows(waiting); rows.length > 0; rows = nextRows(waiting)) {
      try {
        const query = { ids: rows.map(([id]) => id).join(','), last_runs: shown };
        const signal = AbortSignal.timeout(longestAnswerMs);
        const { jobs } = await client.call('listJobs', { query, signal });
        const found = new Map(jobs.map((job) => [job.id, job.last_runs]));
        for (const [id, { resolve }] of rows) resolve(found.get(id) ?? null);
      } catch (error) {
        for (const [, { reject }] of rows) reject(error);
      }
    }
    isReading = false;
  }

  return (jobId, signal) => {
    const row = { ...Promise.withResolvers<Runs>(), signal };
    if (waiting.size === 0 && !isReading) setTimeout(() => void readWaiting());
    waiting.set(jobId, row);
    return row.promise;
  };
}

/** Takes the rows of the next request. Rows that have been scrolled away meanwhile are dropped. */
function nextRows<Row extends { readonly signal: AbortSignal }>(waiting: Map<string, Row>): [string, Row][] {
  const rows: [string, Row][] = [];
  let chars = 0;
  for (const [id, row] of waiting) {
    chars += encodeURIComponent(id).length + 3;
    if (rows.length > 0 && (rows.length === mostIds || chars > mostChars)) break;
    waiting.delete(id);
    if (!row.signal.aborted) rows.push([id, row]);
  }
  return rows;
}

/** @returns reads the last runs for `useLastRunsOf`, which this keeps up to date */
export function useLastRuns(): ReadLastRuns {
  const client = useClient();
  const refresh = useRefresh();
  const changed = useRef(new Set<unknown>());
  useRunEvents(
    { settleMs },
    {
      frame({ event, data }) {
        if (telling.has(event)) changed.current.add(data.job_id);
      },
      open: () => refresh({ queryKey: ['last-runs'] }),
      change() {
        const jobIds = changed.current;
        changed.current = new Set();
        refresh({ predicate: ({ queryKey: [name, jobId] }) => name === 'last-runs' && jobIds.has(jobId) });
      },
    },
  );
  return useMemo(() => createReader(client), [client]);
}

export function useLastRunsOf(read: ReadLastRuns, jobId: string): Runs | undefined {
  const staleTime = Number.POSITIVE_INFINITY;
  return useAnswer(['last-runs', jobId], (_client, signal) => read(jobId, signal), { staleTime }).data;
}
