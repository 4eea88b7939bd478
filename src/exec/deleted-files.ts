// Files of a workspace without a name: removed while they are open, or never linked. A walk does not find them, but they take room for
// as long as a process has them open or mapped.

import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { errorCode } from '../lib/error-code.ts';
import type { Pace } from '../lib/pace.ts';
import { lookInto, threadsOf } from './process-table.ts';

const blockBytes = 512;
const kibibyte = 1024;
const deleted = ' (deleted)';

/**
 * What the nameless files in these folders, as the processes name them, take on the disk, each file once. The kernel shows a file that is
 * only mapped to root alone: for another user it counts with what of it is in memory. Not found: a file whose only descriptor is on
 * its way through a socket, and what is open in a process that the server may not look into.
 */
export async function namelessBytes(pids: readonly number[], folders: readonly string[], pace: Pace): Promise<number> {
  const found = new Map<number, number>();
  const isWithin = (path: string): boolean =>
    path.endsWith(deleted) && folders.some((folder) => path.startsWith(`${folder}/`));
  /** False where the file itself cannot be seen. */
  const count = (pid: number, name: string): boolean => {
    const stats = lookInto(pid, name, (path) => statSync(path, { throwIfNoEntry: false }));
    if (stats?.nlink === 0 && stats.isFile()) found.set(stats.ino, stats.blocks * blockBytes);
    return stats !== undefined;
  };

  for (const pid of pids) {
    const threads = threadsOf(pid);
    for (const thread of threads) {
      // A thread may have descriptors of its own.
      const dir = `task/${thread}/fd`;
      for (const fd of lookInto(pid, dir, (path) => readdirSync(path)) ?? []) {
        await pace();
        // Only a path is read first: to look at a file on a disk that hangs would hang, too.
        const path = lookInto(pid, `${dir}/${fd}`, linkAt);
        if (path !== undefined && (path === tooLong || isWithin(path))) count(pid, `${dir}/${fd}`);
      }
    }
    await pace();
    for (const { range, inode } of mappingsOf(pid, threads).filter(({ path }) => isWithin(path))) {
      if (count(pid, `map_files/${range}`)) continue;
      found.set(inode, Math.max(found.get(inode) ?? 0, residentBytes(pid, inode)));
    }
  }
  return [...found.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** The path of a file in folders so deep that they cannot be named. */
const tooLong = Symbol('too long');

function linkAt(path: string): string | typeof tooLong {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (errorCode(error) !== 'ENAMETOOLONG') throw error;
    return tooLong;
  }
}

/** proc_pid_maps(5): the range, what may be done with it, the offset, the device, the inode, the path. */
const mapping = /^(?<range>[\da-f]+-[\da-f]+) \S+ \S+ \S+ (?<inode>\d+) +(?<path>\/.*)$/;

function mappingsOf(pid: number, threads: readonly string[]): { range: string; inode: number; path: string }[] {
  // Of a process whose first thread has ended the others tell.
  for (const thread of threads) {
    const maps = lookInto(pid, `task/${thread}/maps`, (path) => readFileSync(path, 'utf8')) ?? '';
    if (maps === '') continue;
    const lines = maps.includes(deleted) ? maps.split('\n') : [];
    return lines.flatMap((line) => {
      const { range = '', inode = '', path = '' } = mapping.exec(line)?.groups ?? {};
      return range === '' ? [] : [{ range, inode: Number(inode), path }];
    });
  }
  return [];
}

/** How much of a mapped file a process has in memory. */
function residentBytes(pid: number, inode: number): number {
  const text = lookInto(pid, 'smaps', (path) => readFileSync(path, 'utf8')) ?? '';
  let isOfFile = false;
  let bytes = 0;
  for (const line of text.split('\n')) {
    const head = mapping.exec(line)?.groups;
    if (head || /^[\da-f]+-/.test(line)) isOfFile = Number(head?.inode) === inode;
    const [, size] = /^Rss: +(\d+) kB$/.exec(line) ?? [];
    if (isOfFile && size !== undefined) bytes += Number(size) * kibibyte;
  }
  return bytes;
}
