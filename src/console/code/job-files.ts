// Reads the files of a job for its page.

import { type JobFile, type JobFiles, readJobFile } from '../../client/job-changes.ts';
import { type Answer, useAnswer } from '../session/answers.tsx';

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

/** Reads a file of a revision; null if the revision does not have it. */
export function useJobFile(jobId: string, path: string, files: JobFiles): Answer<JobFile | null> {
  return useAnswer(
    ['job-file', jobId, files.revision, path],
    (client, signal) => readJobFile(client, { jobId, path, files, signal }),
    // A revision never changes.
    { staleTime: Number.POSITIVE_INFINITY },
  );
}
