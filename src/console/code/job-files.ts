// Reads the files of a job for its page.

import { useQueries } from '@tanstack/react-query';
import {
  type JobFile,
  type JobFiles,
  pathsToRead,
  readJobFile,
  type Texts,
  textsOf,
} from '../../client/job-changes.ts';
import { type Answer, limited, useAnswer } from '../session/answers.tsx';
import { useClient } from '../session/session.tsx';

/** @param revision null: as the files are now */
export function useJobFiles(jobId: string, revision: string | null, isWanted = true): Answer<JobFiles> {
  return useAnswer(
    ['job-files', jobId, revision],
    (client, signal) =>
      client.call('listJobFiles', {
        path: { job_id: jobId },
        query: { ...(revision !== null && { revision }) },
        signal,
      }),
    { enabled: isWanted },
  );
}

/** Null where the revision has no such file. */
export function useJobFile(jobId: string, path: string, files: JobFiles): Answer<JobFile | null> {
  return useAnswer(keyOf(jobId, path, files), (client, signal) => readJobFile(client, { jobId, path, files, signal }), {
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** A revision never changes, so its texts are read once. */
function keyOf(jobId: string, path: string, { revision }: JobFiles): readonly string[] {
  return ['job-file', jobId, revision, path];
}

/** The texts of files that may differ although they have the same size, by revision and path. */
export function useTexts(jobId: string, after: JobFiles, before: JobFiles | null): Texts {
  const client = useClient();
  const wanted = before
    ? pathsToRead(after, before).flatMap((path) => [before, after].map((files) => ({ path, files })))
    : [];
  return useQueries({
    queries: wanted.map(({ path, files }) => ({
      queryKey: keyOf(jobId, path, files),
      queryFn: ({ signal }: { readonly signal: AbortSignal }) =>
        readJobFile(client, { jobId, path, files, signal: limited(signal) }),
      staleTime: Number.POSITIVE_INFINITY,
    })),
    combine: (answers) => textsOf(answers.map(({ data }) => data)),
  });
}
