// The content of a job's files for people who read it: from the source as it is now, or from a copy that a run used.

import { type FileHandle, lstat, readdir, readlink, realpath } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
import { createSha256 } from '../../lib/sha256.ts';
import type { JobFile } from './job-state.ts';
import { openRegular } from './revision.ts';
import { isWithin } from './source-file.ts';

export type JobText =
  | { readonly text: string; readonly omitted: null }
  | { readonly text: null; readonly omitted: 'binary' | 'too_large' };

const longestText = 2 ** 20;

/** The files of a snapshot, sorted by path; undefined when the snapshot is gone. */
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

/** Undefined when the file is gone, or is no longer below `root`. */
export function readJobText(root: string, file: JobFile): Promise<JobText | undefined> {
  return readWithin(root, file, async (open) => {
    const bytes = Buffer.alloc(longestText + 1);
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await open.read(bytes, length, bytes.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    if (length > longestText) return { text: null, omitted: 'too_large' };
    return toText(bytes.subarray(0, length));
  });
}

const readAtATime = 16;

/** The SHA-256 of each file in hex. Files that are gone, or no longer below `root`, are left out. */
export async function hashEach(
  root: string,
  files: readonly JobFile[],
): Promise<(JobFile & { readonly sha256: string })[]> {
  const hashed: (JobFile & { readonly sha256: string })[] = [];
  for (let at = 0; at < files.length; at += readAtATime) {
    const some = files.slice(at, at + readAtATime).map(async (file) => {
      const sha256 = await readWithin(root, file, hashOf);
      return sha256 === undefined ? [] : [{ ...file, sha256 }];
    });
    hashed.push(...(await Promise.all(some)).flat());
  }
  return hashed;
}

async function hashOf(file: FileHandle): Promise<string> {
  const hash = createSha256();
  for await (const chunk of file.createReadStream({ autoClose: false })) hash.update(chunk);
  return hash.digest('hex');
}

/**
 * Opens the file, and reads it only if it is really below `root`. A user who may write to a source could have replaced
 * a folder by a link after the file was listed.
 */
async function readWithin<T>(
  root: string,
  { hostPath }: JobFile,
  read: (file: FileHandle) => Promise<T>,
): Promise<T | undefined> {
  const file = await openRegular(hostPath);
  if (!file) return undefined;
  try {
    if (!isWithin(await realpath(root), await readlink(`/proc/self/fd/${file.fd}`))) return undefined;
    return await read(file);
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
