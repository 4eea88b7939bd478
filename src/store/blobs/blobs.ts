// Artifacts as files of the server's own, below one folder. A file is complete, private and on the disk before its row
// can promise it (ADR 0002).

import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { copyFile, type FileHandle, link, lstat, mkdir, open, readlink, realpath, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
import { syncFolder } from '../../lib/files/sync-folder.ts';
import { shardOf } from '../../lib/ids.ts';

export type Blob = { readonly id: string; readonly sizeBytes: number; readonly sha256: string };

export type BlobRequest = { readonly id: string; readonly within: string; readonly mayLink: boolean };

export type BlobStore = {
  /**
   * Takes a regular file in. Its name stays, so a crash before the row is written loses nothing. Never follows a link. The
   * path may be bytes that are no text.
   * @param o.within the folder that what is opened must lie in: another job may swap a folder on the way there for a link
   * @param o.mayLink the file is of no use to anybody else from now on: where that is possible it becomes the blob itself,
   *   with another owner and mode. Otherwise it is copied, and stays as it is.
   * @throws Error when it is no regular file, or cannot be read or stored; nothing is kept then
   */
  readonly take: (hostPath: string | Buffer, o: BlobRequest) => Promise<Blob>;
  /** False when there was no such file. */
  readonly remove: (id: string) => Promise<boolean>;
  /** The file, open for reading, to be closed by the caller; undefined when it is gone. */
  readonly openRead: (id: string) => Promise<FileHandle | undefined>;
};

const chunkBytes = 256 * 1024;
const leastChunkBytes = 16 * 1024;

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
    async take(hostPath, { id, within, mayLink }) {
      // A pipe without O_NONBLOCK would hold the server until somebody writes to it.
      const source = await open(hostPath, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const target = pathOf(id);
      try {
        const stats = await source.stat();
        if (!stats.isFile()) throw new Error('only a regular file can be an artifact');
        await assertWithin(source, within);
        await mkdir(dirname(target), { recursive: true, mode: 0o700 });
        // Another name could be a way for another job to write to it.
        const isLinked = mayLink && stats.nlink === 1 && (await linkTo(hostPath, target, stats));
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

/** By what the kernel says of the open file: a name could have led anywhere. */
async function assertWithin(file: FileHandle, folder: string): Promise<void> {
  const opened = await readlink(`/proc/self/fd/${file.fd}`, 'buffer');
  const inFolder = Buffer.from(`${await realpath(folder)}/`);
  if (!opened.subarray(0, inFolder.length).equals(inFolder)) throw new Error('the file does not lie in the workspace');
}

/** False where a copy is needed: on another file system, or one without links. The name may have changed hands meanwhile. */
async function linkTo(from: string | Buffer, to: string, opened: Stats): Promise<boolean> {
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

/** Makes a file the server's alone; it belonged to the job's user. */
async function seal(file: FileHandle, stats: Stats): Promise<Omit<Blob, 'id'>> {
  const uid = process.geteuid?.() ?? stats.uid;
  if (stats.uid !== uid) await file.chown(uid, process.getegid?.() ?? stats.gid);
  await file.chmod(0o600);
  const digest = await digestOf(file, stats.size);
  await file.sync();
  return digest;
}

/** Of what was opened, whatever its name leads to by now; no block twice where the file system can share them. */
async function copy(source: FileHandle, target: string): Promise<Omit<Blob, 'id'>> {
  await copyFile(`/proc/self/fd/${source.fd}`, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  const file = await open(target, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    // copyFile hands on mode and owner, too.
    return await seal(file, await file.stat());
  } finally {
    await file.close();
  }
}

async function digestOf(file: FileHandle, expectedBytes: number): Promise<Omit<Blob, 'id'>> {
  const hash = createHash('sha256');
  // Most are small, and a buffer stays until V8 has looked through its whole heap. A file may have grown meanwhile.
  const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, expectedBytes + leastChunkBytes));
  let sizeBytes = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, sizeBytes);
    if (bytesRead === 0) return { sizeBytes, sha256: hash.digest('hex') };
    hash.update(buffer.subarray(0, bytesRead));
    sizeBytes += bytesRead;
  }
}

function unlessMissing(error: unknown): void {
  if (errorCode(error) !== 'ENOENT') throw error;
}
