// What the catalogue holds, as it changes: no event says so, so it is asked for again and again, which costs little while
// nothing has changed: a browser asks with the ETag of what it keeps, by itself.

import { useRef } from 'react';
import { ApiProblem } from '../../client/api-problem.ts';
import type { HttpAnswer } from '../../client/client.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { type Loaded, useLoaded } from '../session/loading.ts';
import { useClient } from '../session/session.tsx';
import { useTicks } from '../session/streams.ts';

const everyMs = 3_000;

type JobList = AnswerOf<'listJobs'>;
type Job = AnswerOf<'getJob'>;

/** Reads an answer: the same object for as long as its ETag is the same, so that what is drawn of it stays. */
function useReader<T>(): (answer: HttpAnswer) => Promise<T> {
  const held = useRef<{ readonly etag: string | null; readonly value: T } | null>(null);
  return async (answer) => {
    const etag = answer.headers.get('etag');
    if (held.current && etag !== null && held.current.etag === etag) {
      await answer.body?.cancel();
      return held.current.value;
    }
    const value: T = JSON.parse(await answer.text());
    held.current = { etag, value };
    return value;
  };
}

export function useJobs(): Loaded<JobList> {
  const client = useClient();
  const nudge = useTicks(everyMs);
  const read = useReader<JobList>();
  return useLoaded({ key: 'jobs', nudge }, async (signal) => read(await client.request('listJobs', { signal })));
}

export type KnownJob = {
  /** As it was when it could last be read. */
  readonly job: Job | null;
  /** Why it cannot be read now. */
  readonly problem: ApiProblem | null;
};

export function useJob(jobId: string): Loaded<KnownJob> {
  const client = useClient();
  const nudge = useTicks(everyMs);
  const read = useReader<Job>();
  const last = useRef<{ readonly jobId: string; readonly job: Job } | null>(null);
  return useLoaded({ key: jobId, nudge }, async (signal) => {
    try {
      const job = await read(await client.request('getJob', { path: { job_id: jobId }, signal }));
      last.current = { jobId, job };
      return { job, problem: null };
    } catch (error) {
      if (!(error instanceof ApiProblem) || error.slug !== 'job-invalid') throw error;
      return { job: last.current?.jobId === jobId ? last.current.job : null, problem: error };
    }
  });
}
