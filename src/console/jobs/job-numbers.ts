// The numbers of all jobs, in one answer. After an event of a job, only the numbers of that job are read again.

import { useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import type { Client } from '../../client/client.ts';
import { type Answer, limited, useAnswer, useRefresh } from '../session/answers.tsx';
import { useClient } from '../session/session.tsx';
import { useRunEvents } from '../session/streams.ts';
import type { JobNumbers } from './job-rows.ts';

type Numbers = ReadonlyMap<string, JobNumbers>;

const queryKey = ['job-numbers'];
/** The numbers are about the last 30 days, so they also change without an event. */
const everyMs = 5 * 60_000;
/** The numbers of a job that runs all the time are read at most once a second. */
const settleMs = 1_000;
/** The limits of one request, whose URL contains the ids. */
const mostIds = 100;
const mostChars = 6_000;
const telling = new Set(['run.created', 'run.started', 'run.finished']);

/** `data` is undefined until the numbers have been read, and for callers who may not read runs. */
export function useJobNumbers(): Answer<Numbers> {
  const client = useClient();
  const answers = useQueryClient();
  const refresh = useRefresh();
  const changed = useRef(new Set<string>());
  const answer = useAnswer(queryKey, (asking, signal) => readNumbers(asking, signal), { refetchInterval: everyMs });
  useRunEvents(
    { settleMs },
    {
      frame({ event, data: { job_id: jobId } }) {
        if (telling.has(event) && typeof jobId === 'string') changed.current.add(jobId);
      },
      open: () => refresh({ queryKey }),
      change() {
        const ids = [...changed.current];
        changed.current = new Set();
        if (ids.length === 0) return;
        void readEach(client, ids).then(
          (newer) => answers.setQueryData<Numbers>(queryKey, (held) => held && new Map([...held, ...newer])),
          // A failure is ignored, because all numbers are read again every few minutes.
          () => undefined,
        );
      },
    },
  );
  return answer;
}

async function readNumbers(client: Client, signal: AbortSignal, ids?: readonly string[]): Promise<Numbers> {
  const { jobs } = await client.call('getJobStats', { query: ids ? { ids: ids.join(',') } : {}, signal });
  return new Map(jobs.map((job) => [job.job_id, job]));
}

async function readEach(client: Client, ids: readonly string[]): Promise<Numbers> {
  const signal = limited(new AbortController().signal);
  const found: (readonly [string, JobNumbers])[] = [];
  for (const part of partsOf(ids)) found.push(...(await readNumbers(client, signal, part)));
  return new Map(found);
}

function partsOf(ids: readonly string[]): string[][] {
  const parts: string[][] = [];
  let chars = Number.POSITIVE_INFINITY;
  for (const id of ids) {
    chars += encodeURIComponent(id).length + 3;
    if (chars > mostChars || (parts.at(-1)?.length ?? 0) >= mostIds) {
      parts.push([]);
      chars = 0;
    }
    parts.at(-1)?.push(id);
  }
  return parts;
}
