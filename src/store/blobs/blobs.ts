// Artifacts as private files of the server, below one folder. A file is complete and on disk before a row can name it
// (ADR 0002).

import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { copyFile, type FileHandle, link, lstat, mkdir, open, readlink, realpath, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
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
     * Stores a regular file as a blob. The file keeps its name, so a crash before the row is written loses nothing.
     * Symbolic links are never followed. The path may be bytes that are not valid text.
     * @param o.within the opened file must lie in this folder: another job may replace a folder of the path by a link
     * @param o.mayLink nobody else uses the file from now on. Where possible, it is hard-linked and becomes the blob
     *   itself, with another owner and mode. Otherwise it is copied and left unchanged.
     * @throws Error when the file is not regular, or cannot be read or stored. Then nothing is kept.
     */
    take: async (hostPath: string | Buffer, { id, within, mayLink }: BlobRequest): Promise<Blob> => {
      // Without O_NONBLOCK, opening a pipe would block the server until somebody writes to it.
      const source = await open(hostPath, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const target = pathOf(id);
      try {
        const stats = await source.stat();
        if (!stats.isFile()) throw new Error('only a regular file can be an artifact');
        await assertWithin(source, within);
        await mkdir(dirname(target), { recursive: true, mode: 0o700 });
        // With a second hard link, another job could still write to the file.
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
    /** Removes the file. Returns false when it did not exist. */
    remove,
    /** Opens the file for reading. The caller closes it; undefined when the file is gone. */
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

/** Asks the kernel for the path of the open file, because the name it was opened by could have led anywhere. */
async function assertWithin(file: FileHandle, folder: string): Promise<void> {
  const opened = await readlink(`/proc/self/fd/${file.fd}`, 'buffer');
  const inFolder = Buffer.from(`${await realpath(folder)}/`);
  if (!opened.subarray(0, inFolder.length).equals(inFolder)) throw new Error('the file is outside the workspace');
}

/**
 * Returns false where only a copy works: on another file system, or on one without links.
 * @throws when the name was replaced
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

/** Takes the file from the job's user: only the server can read and write it afterwards. */
async function seal(file: FileHandle, stats: Stats): Promise<Omit<Blob, 'id'>> {
  const uid = process.geteuid?.() ?? stats.uid;
  if (stats.uid !== uid) await file.chown(uid, process.getegid?.() ?? stats.gid);
  await file.chmod(0o600);
  const digest = await digestOf(file, stats.size);
  await file.sync();
  return digest;
}

/** Copies the opened file, even if its name leads elsewhere by now. Shares blocks where the file system can. */
async function copy(source: FileHandle, target: string): Promise<Omit<Blob, 'id'>> {
  await copyFile(`/proc/self/fd/${source.fd}`, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  const file = await open(target, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    // copyFile copies mode and owner, too.
    return await seal(file, await file.stat());
  } finally {
    await file.close();
  }
}

async function digestOf(file: FileHandle, expectedBytes: number): Promise<Omit<Blob, 'id'>> {
  const hash = createHash('sha256');
  // Most files are small, and V8 frees a buffer only in a full collection. The file may have grown since
  // `expectedBytes`.
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
