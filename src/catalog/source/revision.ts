// The revision of a job: a hash over the names, executable bits and content of its files.

import type { Hash } from 'node:crypto';
import { constants, lstatSync, readdirSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
import { createSha256 } from '../../lib/sha256.ts';
import type { JobFile } from './job-state.ts';

const chunkBytes = 128 * 1024;

/**
 * The first 16 hex digits of SHA-256. `onFile` gets the chunks of each file as they are read. Returns undefined when a
 * file changed or disappeared while it was read.
 */
export async function hashFiles(
  files: readonly JobFile[],
  onFile?: (file: JobFile) => Promise<{ write(chunk: Buffer): Promise<unknown>; close(): Promise<unknown> }>,
): Promise<string | undefined> {
  const hash = createSha256();
  const chunk = Buffer.allocUnsafe(chunkBytes);
  for (const file of files) {
    const source = await openRegular(file.hostPath);
    if (!source) return undefined;
    const copy = await onFile?.(file);
    try {
      hash.update(`${file.path}\0${file.isExecutable ? 'x' : '-'}\0${file.sizeBytes}\0`);
      const copied = await pump(source, chunk, hash, copy);
      if (copied !== file.sizeBytes) return undefined;
    } finally {
      await source.close();
      await copy?.close();
    }
  }
  return hash.digest('hex').slice(0, 16);
}

/** Whether the folder has exactly the files of the revision. Also returns false if they cannot be read. */
export async function isRevision(dir: string, revision: string): Promise<boolean> {
  try {
    const found = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const files = found.map((entry): JobFile => {
      const hostPath = join(entry.parentPath, entry.name);
      const { size, mode } = lstatSync(hostPath);
      return { path: relative(dir, hostPath), hostPath, sizeBytes: size, isExecutable: (mode & 0o111) !== 0 };
    });
    return (await hashFiles(files.toSorted((a, b) => (a.path < b.path ? -1 : 1)))) === revision;
  } catch {
    return false;
  }
}

async function pump(
  source: FileHandle,
  chunk: Buffer,
  hash: Hash,
  copy: { write(chunk: Buffer): Promise<unknown> } | undefined,
): Promise<number> {
  let total = 0;
  for (;;) {
    const { bytesRead } = await source.read(chunk, 0, chunk.length, null);
    if (bytesRead === 0) return total;
    const bytes = chunk.subarray(0, bytesRead);
    hash.update(bytes);
    await copy?.write(bytes);
    total += bytesRead;
  }
}

/**
 * Opens a file, but neither follows a link nor waits for the writer of a pipe. Returns undefined if there is no regular
 * file at this path.
 */
export async function openRegular(path: string): Promise<FileHandle | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'ENXIO', 'ENOTDIR'].includes(errorCode(error) ?? '')) return undefined;
    throw error;
  }
  if ((await file.stat()).isFile()) return file;
  await file.close();
  return undefined;
}
