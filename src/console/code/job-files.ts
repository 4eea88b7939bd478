// Reads the files of a job, and finds out which ones differ between two revisions.

import { useQueries } from '@tanstack/react-query';
import type { Client } from '../../client/client.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { type Answer, limited, useAnswer } from '../session/answers.tsx';
import { useClient } from '../session/session.tsx';

export type JobFiles = AnswerOf<'listJobFiles'>;
export type JobFile = AnswerOf<'getJobFile'>;
export type Change = 'added' | 'removed' | 'changed';

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
  return useAnswer(keyOf(jobId, path, files), (client, signal) => readFile(client, { jobId, path, files, signal }), {
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** A revision never changes, so its texts are read once. */
function keyOf(jobId: string, path: string, { revision }: JobFiles): readonly string[] {
  return ['job-file', jobId, revision, path];
}

async function readFile(
  client: Client,
  o: { readonly jobId: string; readonly path: string; readonly files: JobFiles; readonly signal: AbortSignal },
): Promise<JobFile | null> {
  const { jobId, path, files, signal } = o;
  if (!files.files.some((file) => file.path === path)) return null;
  const isNow = files.revision === files.current_revision;
  const query = { path, ...(!isNow && { revision: files.revision }) };
  return client.call('getJobFile', { path: { job_id: jobId }, query, signal });
}

/** Files of equal size are compared by their text, but no more of them than this. */
const mostCompared = 30;

/** The texts of files that may differ although they have the same size, by revision and path. */
export function useTexts(jobId: string, after: JobFiles, before: JobFiles | null): ReadonlyMap<string, string | null> {
  const client = useClient();
  const sizes = new Map(before?.files.map(({ path, size_bytes: size }) => [path, size]));
  const paths = after.files.flatMap(({ path, size_bytes: size }) => (sizes.get(path) === size ? [path] : []));
  const wanted = before
    ? paths.slice(0, mostCompared).flatMap((path) => [before, after].map((files) => ({ path, files })))
    : [];
  return useQueries({
    queries: wanted.map(({ path, files }) => ({
      queryKey: keyOf(jobId, path, files),
      queryFn: ({ signal }: { readonly signal: AbortSignal }) =>
        readFile(client, { jobId, path, files, signal: limited(signal) }),
      staleTime: Number.POSITIVE_INFINITY,
    })),
    combine: (answers) =>
      new Map(answers.flatMap(({ data }) => (data ? [[textKey(data.revision, data.path), data.text] as const] : []))),
  });
}

function textKey(revision: string, path: string): string {
  return `${revision} ${path}`;
}

export function changesOf(
  after: JobFiles,
  before: JobFiles,
  texts: ReadonlyMap<string, string | null>,
): ReadonlyMap<string, Change> {
  const changes = new Map<string, Change>();
  const old = new Map(before.files.map((file) => [file.path, file]));
  for (const { path, size_bytes: size, executable } of after.files) {
    const was = old.get(path);
    old.delete(path);
    if (!was) changes.set(path, 'added');
    else if (was.size_bytes !== size || was.executable !== executable) changes.set(path, 'changed');
    else if (texts.get(textKey(before.revision, path)) !== texts.get(textKey(after.revision, path)))
      changes.set(path, 'changed');
  }
  for (const path of old.keys()) changes.set(path, 'removed');
  return changes;
}
