// Checks whether a disk has enough room for a run: a few files, and a few bytes in them.

import { statfsSync } from 'node:fs';
import { sizeWords } from '../units.ts';

/** A run creates about fifteen files and folders before its script starts. */
const leastFiles = 32;
/** More than a reading command borrows from the reserve, so that no run starts on borrowed space. */
const leastBytes = 2 ** 20;

const fix = 'free space, or run flwd gc';

type Lack = { readonly lack: string; readonly fix: string };

/** Says what the disk lacks, and how to fix that. */
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
 * Returns null when there is room, or when the file system does not report it: btrfs counts no inodes, a tmpfs may have
 * no limit.
 */
export function findLackOfRoom(dir: string): Lack | null {
  try {
    // Space reserved for root does not count: jobs have other users, and ext4 keeps some of it even from root.
    const { blocks, bavail, bsize, files, ffree } = statfsSync(dir);
    const freeBytes = bavail * bsize;
    if (blocks > 0 && freeBytes < leastBytes) return { lack: `the disk is full (${sizeWords(freeBytes)} free)`, fix };
    if (files > 0 && ffree < leastFiles)
      return { lack: `the disk has no room for more files (free inodes: ${ffree})`, fix };
    return null;
  } catch {
    // The error shows up when the folder is used.
    return null;
  }
}
