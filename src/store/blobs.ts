// Artifacts as files of the server's own, below one folder. A file is complete, private and on the disk before its row
// can promise it (ADR 0002).

import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, link, lstat, mkdir, open, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorCode } from '../lib/error-code.ts';
import { shardOf } from '../lib/ids.ts';
import { syncFolder } from '../lib/sync-folder.ts';

export type Blob = { readonly id: string; readonly sizeBytes: number; readonly sha256: string };

export type BlobStore = {
  /**
   * Takes a regular file over: linked where that is possible, else copied. Its old name stays until the caller removes it,
   * so a crash before the row is written loses nothing. Never follows a link.
   * @throws Error when it is no regular file, or cannot be read or stored; nothing is kept then
   */
  readonly take: (hostPath: string, id: string) => Promise<Blob>;
  /** False when there was no such file. */
  readonly remove: (id: string) => Promise<boolean>;
  /** The file, open for reading, to be closed by the caller; undefined when it is gone. */
  readonly openRead: (id: string) => Promise<FileHandle | undefined>;
};

const chunkBytes = 256 * 1024;

export function createBlobStore(o: { readonly dir: string }): BlobStore {
  const pathOf = (id: string): string => join(o.dir, shardOf(id), id);

  async function remove(id: string): Promise<boolean> {
    try {
      await unlink(pathOf(id));
      return true;
    } catch (error) {
      unlessMissing(error);
      return false;
    }
  }

  return {
    async take(hostPath, id) {
      // A pipe without O_NONBLOCK would hold the server until somebody writes to it.
      const source = await open(hostPath, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const target = pathOf(id);
      try {
        const stats = await source.stat();
        if (!stats.isFile()) throw new Error('only a regular file can be an artifact');
        await mkdir(dirname(target), { recursive: true, mode: 0o700 });
        // Another name could be a way for another job to write to it.
        const isLinked = stats.nlink === 1 && (await linkTo(hostPath, target, stats));
        const blob = isLinked ? await seal(source, stats) : await copy(source, target);
        await syncFolder(dirname(target));
        return { id, ...blob };
      } catch (error) {
        await remove(id);
        throw error;
      } finally {
        await source.close();
      }
    },
    remove,
    async openRead(id) {
      try {
        return await open(pathOf(id), constants.O_RDONLY | constants.O_NOFOLLOW);
      } catch (error) {
        unlessMissing(error);
        return undefined;
      }
    },
  };
}

/** False where a copy is needed: on another file system, or one without links. The name may have changed hands meanwhile. */
async function linkTo(from: string, to: string, opened: Stats): Promise<boolean> {
  try {
    await link(from, to);
  } catch (error) {
    if (['EXDEV', 'EPERM', 'ENOTSUP', 'EMLINK'].includes(errorCode(error) ?? '')) return false;
    throw error;
  }
  const linked = await lstat(to);
  if (linked.ino !== opened.ino || linked.dev !== opened.dev)
    throw new Error('the file was replaced while it was taken');
  return true;
}

/** Makes a linked file the server's alone; it belonged to the job's user. */
async function seal(file: FileHandle, stats: Stats): Promise<Omit<Blob, 'id'>> {
  const uid = process.geteuid?.() ?? stats.uid;
  if (stats.uid !== uid) await file.chown(uid, process.getegid?.() ?? stats.gid);
  await file.chmod(0o600);
  const digest = await digestOf(file);
  await file.sync();
  return digest;
}

async function copy(source: FileHandle, target: string): Promise<Omit<Blob, 'id'>> {
  const file = await open(target, 'wx', 0o600);
  try {
    const digest = await digestOf(source, file);
    await file.sync();
    return digest;
  } finally {
    await file.close();
  }
}

/** Reads `source` to its end, and writes what it reads to `target`. */
async function digestOf(source: FileHandle, target?: FileHandle): Promise<Omit<Blob, 'id'>> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(chunkBytes);
  let sizeBytes = 0;
  for (;;) {
    const { bytesRead } = await source.read(buffer, 0, chunkBytes, sizeBytes);
    if (bytesRead === 0) return { sizeBytes, sha256: hash.digest('hex') };
    const chunk = buffer.subarray(0, bytesRead);
    hash.update(chunk);
    if (target) await target.appendFile(chunk);
    sizeBytes += bytesRead;
  }
}

function unlessMissing(error: unknown): void {
  if (errorCode(error) !== 'ENOENT') throw error;
}
