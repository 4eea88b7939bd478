// Finds the files of a job that differ between two of its revisions.

import type { AnswerOf } from '../contract/operations.ts';
import type { Client } from './client.ts';

export type JobFiles = AnswerOf<'listJobFiles'>;
export type JobFile = AnswerOf<'getJobFile'>;
export type Change = 'added' | 'removed' | 'changed';

/** Returns null if the revision has no such file. */
export async function readJobFile(
  client: Client,
  o: { readonly jobId: string; readonly path: string; readonly files: JobFiles; readonly signal?: AbortSignal },
): Promise<JobFile | null> {
  const { jobId, path, files, signal } = o;
  if (!files.files.some((file) => file.path === path)) return null;
  const isNow = files.revision === files.current_revision;
  const query = { path, ...(!isNow && { revision: files.revision }) };
  return client.call('getJobFile', { path: { job_id: jobId }, query, ...(signal && { signal }) });
}

export function changesOf(after: JobFiles, before: JobFiles): ReadonlyMap<string, Change> {
  const changes = new Map<string, Change>();
  const old = new Map(before.files.map((file) => [file.path, file]));
  for (const { path, sha256, executable } of after.files) {
    const was = old.get(path);
    old.delete(path);
    if (!was) changes.set(path, 'added');
    else if (was.sha256 !== sha256 || was.executable !== executable) changes.set(path, 'changed');
  }
  for (const path of old.keys()) changes.set(path, 'removed');
  return changes;
}
