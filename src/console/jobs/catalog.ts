// The catalog as the pages show it. No event reports a changed job file, so the catalog is read every few seconds.
// If nothing has changed, this is cheap, because the browser sends the ETag of its cached answer by itself.

import { useQueryClient } from '@tanstack/react-query';
import { ApiProblem } from '../../client/api-problem.ts';
import type { HttpAnswer } from '../../client/client.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { type Answer, useAnswer } from '../session/answers.tsx';

const everyMs = 3_000;

type JobList = AnswerOf<'listJobs'>;
type Job = AnswerOf<'getJob'>;

type Tagged<T> = { readonly etag: string | null; readonly value: T };

/**
 * Reads an answer. If it has the ETag of the held answer, returns the held answer, so that nothing is parsed or drawn
 * again.
 */
async function readTagged<T>(answer: HttpAnswer, held: Tagged<T> | null | undefined): Promise<Tagged<T>> {
  const etag = answer.headers.get('etag');
  if (held && etag !== null && held.etag === etag) {
    await answer.body?.cancel();
    return held;
  }
  return { etag, value: JSON.parse(await answer.text()) };
}

export function useJobs(): Answer<JobList> {
  const answers = useQueryClient();
  return useAnswer(
    ['jobs'],
    async (client, signal) =>
      readTagged(await client.request('listJobs', { signal }), answers.getQueryData<Tagged<JobList>>(['jobs'])),
    { refetchInterval: everyMs, select: untagged },
  );
}

function untagged<T>({ value }: Tagged<T>): T {
  return value;
}

type KnownJob = {
  /** The last valid revision of the job; null: no valid revision is known. */
  readonly read: Tagged<Job> | null;
  /** Why the job is invalid now; null: it is valid. */
  readonly problem: ApiProblem | null;
};

/** Reads the job that a user has chosen in a form. */
export function useChosenJob(jobId: string): Answer<Job> {
  return useAnswer(
    ['chosen job', jobId],
    (client, signal) => client.call('getJob', { path: { job_id: jobId }, signal }),
    { enabled: jobId !== '' },
  );
}

export function useJob(jobId: string): Answer<KnownJob> {
  const answers = useQueryClient();
  const queryKey = ['job', jobId];
  return useAnswer(
    queryKey,
    async (client, signal) => {
      const read = answers.getQueryData<KnownJob>(queryKey)?.read ?? null;
      try {
        const answer = await client.request('getJob', { path: { job_id: jobId }, signal });
        return { read: await readTagged(answer, read), problem: null };
      } catch (error) {
        if (!(error instanceof ApiProblem) || error.slug !== 'job-invalid') throw error;
        return { read, problem: error };
      }
    },
    { refetchInterval: everyMs },
  );
}
