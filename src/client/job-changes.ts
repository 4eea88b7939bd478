// Which files of a job differ between two of its revisions.

import type { AnswerOf } from '../contract/operations.ts';
import type { Client } from './client.ts';

export type JobFiles = AnswerOf<'listJobFiles'>;
export type JobFile = AnswerOf<'getJobFile'>;
/** `unknown`: the file may have changed, but it has no text to compare, or is one of too many. */
export type Change = 'added' | 'removed' | 'changed' | 'unknown';

/** Null where the revision has no such file. */
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

/** Files of equal size are compared by their text, but no more of them than this. */
const mostCompared = 30;

/** The paths of files that differ only if their texts do. */
export function pathsToRead(after: JobFiles, before: JobFiles): readonly string[] {
  const sizes = new Map(before.files.map(({ path, size_bytes: size }) => [path, size]));
  const paths = after.files.flatMap(({ path, size_bytes: size }) => (sizes.get(path) === size ? [path] : []));
  return paths.slice(0, mostCompared);
}

/** By revision and path. */
export type Texts = ReadonlyMap<string, string | null>;

export function textsOf(files: readonly (JobFile | null | undefined)[]): Texts {
  return new Map(files.flatMap((file) => (file ? [[textKey(file.revision, file.path), file.text] as const] : [])));
}

function textKey(revision: string, path: string): string {
  return `${revision} ${path}`;
}

export function changesOf(after: JobFiles, before: JobFiles, texts: Texts): ReadonlyMap<string, Change> {
  const changes = new Map<string, Change>();
  const old = new Map(before.files.map((file) => [file.path, file]));
  const read = new Set(pathsToRead(after, before));
  for (const { path, size_bytes: size, executable } of after.files) {
    const was = old.get(path);
    old.delete(path);
    if (!was) changes.set(path, 'added');
    else if (was.size_bytes !== size || was.executable !== executable) changes.set(path, 'changed');
    else {
      const [oldText, newText] = [before, after].map(({ revision }) => texts.get(textKey(revision, path)));
      if (!read.has(path) || (oldText === null && newText === null)) changes.set(path, 'unknown');
      else if (oldText !== newText) changes.set(path, 'changed');
    }
  }
  for (const path of old.keys()) changes.set(path, 'removed');
  return changes;
}
