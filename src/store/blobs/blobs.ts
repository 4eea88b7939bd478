// Stores artifacts as files in one folder, which only the server can read. A file is complete and on disk before a row
// can name it (ADR 0002).

import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { copyFile, type FileHandle, link, lstat, open, readlink, realpath, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
import { makeFolders } from '../../lib/files/make-folders.ts';
import { syncFolder } from '../../lib/files/sync-folder.ts';
import { shardOf } from '../../lib/ids.ts';

export type Blob = { readonly id: string; readonly sizeBytes: number; readonly sha256: string };

export type BlobRequest = { readonly id: string; readonly within: string; readonly mayLink: boolean };

export type BlobStore = ReturnType<typeof createBlobStore>;

const chunkBytes = 256 * 1024;
const leastChunkBytes = 16 * 1024;

export function createBlobStore(o: { readonly dir: string }) {
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
    /**
     * Stores a regular file as a blob. The original keeps its name, so nothing is lost if flwd crashes before the row
     * is written. Symbolic links are never followed. The path may contain bytes that are not valid text.
     * @param o.within the folder that must contain the file once it is open. Another job may have replaced a folder of
     * the path with a link.
     * @param o.mayLink true if nobody else uses the file any more. Where possible, a hard link makes the file itself
     * the blob, with another owner and mode. Otherwise it is copied and stays unchanged.
     * @throws Error if the file is not regular, or cannot be read or stored. Then nothing is stored.
     */
    take: async (hostPath: string | Buffer, { id, within, mayLink }: BlobRequest): Promise<Blob> => {
      // Without O_NONBLOCK, opening a pipe would block the server until somebody writes to it.
      const source = await open(hostPath, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const target = pathOf(id);
      try {
        const stats = await source.stat();
        if (!stats.isFile()) throw new Error('only a regular file can be an artifact');
        await assertWithin(source, within);
        makeFolders([o.dir, dirname(target)]);
        // If the file had another hard link, another job could still write to it through that link.
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
    /** Removes the file. Returns false if it did not exist. */
    remove,
    /** Opens the file for reading. The caller closes it. Returns undefined if the file no longer exists. */
    async openRead(id: string): Promise<FileHandle | undefined> {
      try {
        return await open(pathOf(id), constants.O_RDONLY | constants.O_NOFOLLOW);
      } catch (error) {
        unlessMissing(error);
        return undefined;
      }
    },
  };
}

/** Asks the kernel for the path of the open file. The path that it was opened by may have contained a link. */
async function assertWithin(file: FileHandle, folder: string): Promise<void> {
  const opened = await readlink(`/proc/self/fd/${file.fd}`, 'buffer');
  const inFolder = Buffer.from(`${await realpath(folder)}/`);
  if (!opened.subarray(0, inFolder.length).equals(inFolder)) throw new Error('the file is outside the workspace');
}

/**
 * Returns false if the file can only be copied, because the blobs are on another file system, or on one without hard
 * links.
 * @throws Error if the path leads to another file by now
 */
async function linkTo(from: string | Buffer, to: string, opened: Stats): Promise<boolean> {
  try {
    await link(from, to);
  } catch (error) {
    if (['EXDEV', 'EPERM', 'ENOTSUP', 'EMLINK'].includes(errorCode(error) ?? '')) return false;
    throw error;
  }
  const linked = await lstat(to);
  if (linked.ino !== opened.ino || linked.dev !== opened.dev)
    throw new Error('the file was replaced while flwd stored it');
  return true;
}

/** Makes the server the owner of the file. From then on, only the server can read and write it. */
async function seal(file: FileHandle, stats: Stats): Promise<Omit<Blob, 'id'>> {
  const uid = process.geteuid?.() ?? stats.uid;
  if (stats.uid !== uid) await file.chown(uid, process.getegid?.() ?? stats.gid);
  await file.chmod(0o600);
  const digest = await digestOf(file, stats.size);
  await file.sync();
  return digest;
}

/**
 * Copies the opened file, even if its path leads to another file by now. Copies share disk blocks where the file system
 * supports that.
 */
async function copy(source: FileHandle, target: string): Promise<Omit<Blob, 'id'>> {
  await copyFile(`/proc/self/fd/${source.fd}`, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  const file = await open(target, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    // copyFile also copies the mode, and the server must be the only one with access.
    return await seal(file, await file.stat());
  } finally {
    await file.close();
  }
}

async function digestOf(file: FileHandle, expectedBytes: number): Promise<Omit<Blob, 'id'>> {
  const hash = createHash('sha256');
  // Allocates a small buffer for a small file. Most files are small, and V8 frees a buffer only in a full garbage
  // collection. The file may be larger by now than `expectedBytes`.
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
