// A folder of a workspace, reached through its descriptor. While the folder is walked, a process may replace it, or a
// folder above it, by a link. The descriptor still leads to the same folder.

import { closeSync, constants, type Dirent, fstatSync, opendirSync, openSync, readlinkSync } from 'node:fs';

/** The path and device of the folder when it was opened. */
type Place = { readonly path: Buffer; readonly device: number };

export type PinnedFolder = ReturnType<typeof pinFolder>;

const folderFlags = constants.O_DIRECTORY | constants.O_NOFOLLOW;
const slash = 0x2f;

/**
 * @param access use O_PATH if entries are only opened by name: then the server needs no permission to read the folder
 * @throws the kernel's error if the folder is a link, does not exist, or may not be opened by the server
 */
export function pinFolder(folder: Buffer, access: number = constants.O_RDONLY) {
  const fd = openSync(folder, access | folderFlags);
  /** A path to the folder, which is valid until the folder is closed. */
  const path: Buffer = Buffer.from(`/proc/self/fd/${fd}`);
  const close = (): void => closeSync(fd);
  try {
    const place: Place = { path: readlinkSync(path, 'buffer'), device: fstatSync(fd).dev };
    return { path, place, entries: () => entriesOf(path), close };
  } catch (error) {
    close();
    throw error;
  }
}

/**
 * Yields the entries one by one, because a folder may contain more names than fit into memory. A name is latin1 text,
 * one character per byte.
 */
function* entriesOf(path: Buffer): Generator<Dirent> {
  const opened = opendirSync(path, { encoding: 'latin1', bufferSize: 256 });
  try {
    for (let entry = opened.readSync(); entry; entry = opened.readSync()) yield entry;
  } finally {
    opened.closeSync();
  }
}

export function entryOf(folder: Buffer, name: string): Buffer {
  return Buffer.concat([folder, Buffer.from(`/${name}`, 'latin1')]);
}

/** Whether a folder is the root folder or inside of it. */
export function isWithin({ path, device }: Place, root: Place): boolean {
  const { length } = root.path;
  // If the folder is no longer mounted anywhere, the kernel shows its path in its own file system, whose root is `/`.
  // An example is the /tmp of a sandbox that has ended.
  if (length === 1) return device === root.device;
  if (path.compare(root.path, 0, length, 0, Math.min(length, path.length)) !== 0) return false;
  return path.length === length || path[length] === slash;
}
