// The content of a job's files for people who read it: from the source as it is now, or from a copy that a run used.

import { lstat, readdir, readlink, realpath } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
import type { JobFile } from './job-state.ts';
import { openRegular } from './revision.ts';
import { isWithin } from './source-file.ts';

export type JobText =
  | { readonly text: string; readonly omitted: null }
  | { readonly text: null; readonly omitted: 'binary' | 'too_large' };

const longestText = 2 ** 20;

/** The files of a snapshot, by path; undefined when it is gone. */
export async function listSnapshot(dir: string): Promise<readonly JobFile[] | undefined> {
  try {
    const entries = await readdir(dir, { recursive: true, withFileTypes: true });
    const files: JobFile[] = [];
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      const hostPath = join(entry.parentPath, entry.name);
      const { size, mode } = await lstat(hostPath);
      files.push({ path: relative(dir, hostPath), hostPath, sizeBytes: size, isExecutable: (mode & 0o111) !== 0 });
    }
    return files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Undefined when the file is gone, or is no longer below `root`: a user who may write to a source could replace a
 * folder by a link after the file was listed.
 */
export async function readJobText(root: string, { hostPath }: JobFile): Promise<JobText | undefined> {
  const file = await openRegular(hostPath);
  if (!file) return undefined;
  try {
    if (!isWithin(await realpath(root), await readlink(`/proc/self/fd/${file.fd}`))) return undefined;
    const bytes = Buffer.alloc(longestText + 1);
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    if (length > longestText) return { text: null, omitted: 'too_large' };
    return toText(bytes.subarray(0, length));
  } finally {
    await file.close();
  }
}

function toText(bytes: Buffer): JobText {
  if (bytes.includes(0)) return { text: null, omitted: 'binary' };
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), omitted: null };
  } catch {
    return { text: null, omitted: 'binary' };
  }
}
