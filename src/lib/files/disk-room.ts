// Checks whether a disk has enough room for a run, which needs a few files with a few bytes.

import { statfsSync } from 'node:fs';
import { sizeWords } from '../units.ts';

/** How many files must be free. A run creates about fifteen files and folders before its script starts. */
const leastFiles = 32;
/**
 * How many bytes must be free. disk-reserve.ts lends less than this to a command that only reads, so no run starts in
 * that room.
 */
const leastBytes = 2 ** 20;

const fix = 'free space, or run flwd gc';

type Lack = { readonly lack: string; readonly fix: string };

/** Says what the disk lacks, and how to fix that; null if it lacks nothing. */
export function lackOfRoom(dir: string): string | null {
  const found = findLackOfRoom(dir);
  return found && `${found.lack}: ${found.fix}`;
}

/** Returns null when the file system does not report its free space. */
export function freeBytesOf(dir: string): number | null {
  try {
    const { blocks, bavail, bsize } = statfsSync(dir);
    return blocks > 0 ? bavail * bsize : null;
  } catch {
    return null;
  }
}

/**
 * Returns null when there is room. Also returns null when the file system does not report its room: btrfs counts no
 * inodes, and a tmpfs may have no limit.
 */
export function findLackOfRoom(dir: string): Lack | null {
  try {
    // Room that is reserved for root does not count: jobs run as other users, and ext4 keeps some of it even from root.
    const { blocks, bavail, bsize, files, ffree } = statfsSync(dir);
    const freeBytes = bavail * bsize;
    if (blocks > 0 && freeBytes < leastBytes) return { lack: `the disk is full (${sizeWords(freeBytes)} free)`, fix };
    if (files > 0 && ffree < leastFiles)
      return { lack: `the disk has no room for more files (free inodes: ${ffree})`, fix };
    return null;
  } catch {
    // The same error is reported when the folder is used.
    return null;
  }
}
