// Measures files of a workspace that have no name, because they were deleted while open or never had a name. A walk
// does not find them, but they take disk space as long as a process has them open or mapped.

import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { errorCode } from '../../lib/error-code.ts';
import type { Yielder } from '../../lib/yielder.ts';
import { lookInto, threadsOf } from '../proc/process-table.ts';

const blockBytes = 512;
const kibibyte = 1024;
const deleted = ' (deleted)';

/** How many descriptors, or kilobytes of mappings, one measurement reads at most. This takes about a second. */
const mostReads = 100_000;
/**
 * How many of the `mostReads` are spent on comparing threads that seem to share the descriptors of their process. If
 * there are few threads, this is enough to compare all descriptors.
 */
const sampledReads = 10_000;
const leastSample = 8;
/**
 * How many comparisons must fail before two descriptor tables count as different. Even for one shared table, a
 * comparison can fail, because a descriptor was opened or closed between its two reads.
 */
const mostTries = 3;

/**
 * Returns the disk space of the nameless files in these folders; Infinity if more files are open than one measurement
 * can read. `folders` are paths as the processes see them. Each file counts once. If a file is mapped but not open, the
 * kernel shows it only to root. Without root, only the part of it that is in memory counts. A file is not found while
 * its only descriptor is being passed through a socket, or if the server may not inspect its process.
 */
export async function namelessBytes(
  pids: readonly number[],
  folders: readonly string[],
  maybeYield: Yielder,
): Promise<number> {
  const found = new Map<number, number>();
  let readsLeft = mostReads;
  const isWithin = (path: string): boolean =>
    path.endsWith(deleted) && folders.some((folder) => path.startsWith(`${folder}/`));
  /** Counts the file if it has no link. Returns its inode; undefined if the file itself cannot be seen. */
  const count = (pid: number, name: string): number | undefined => {
    const stats = lookInto(pid, name, (path) => statSync(path, { throwIfNoEntry: false }));
    if (stats?.nlink === 0 && stats.isFile()) found.set(stats.ino, stats.blocks * blockBytes);
    return stats?.ino;
  };
  /** Counts the file if it has no name. Returns a text that identifies the file. */
  const lookAt = (pid: number, name: string): string | undefined => {
    // The path is read first, because it says whether the file matters. A stat could hang if the disk hangs.
    const path = lookInto(pid, name, linkAt);
    if (path === tooLong) return `${count(pid, name)}`;
    return path !== undefined && isWithin(path) ? `${path} ${count(pid, name)}` : path;
  };

  /**
   * A thread can have its own descriptors, but this is rare, and to read a thousand threads with a thousand descriptors
   * each would take seconds. Only kcmp(2) can tell for sure, but Node cannot call it. So a random sample is compared.
   * The sample is random, so that the job cannot predict which descriptors are compared.
   */
  async function seemsShared(pid: number, dir: string, shared: Table, sampleSize: number): Promise<boolean> {
    const agree = (read: (dir: string) => unknown): boolean => {
      for (let left = mostTries; left > 0; left -= 1) if (read(dir) === read(shared.dir)) return true;
      return false;
    };
    if (!agree((either) => openIn(pid, either))) return false;
    const { fds } = shared;
    const sample = fds.length <= sampleSize ? fds : Array.from({ length: sampleSize }, () => oneOf(fds));
    for (const fd of sample) {
      await maybeYield();
      readsLeft -= 1;
      if (!agree((either) => lookAt(pid, `${either}/${fd}`))) return false;
    }
    return true;
  }

  const processes = pids.map((pid) => ({ pid, threads: threadsOf(pid) }));
  const threadCount = processes.reduce((sum, { threads }) => sum + threads.length, 0);
  const sampleSize = Math.max(leastSample, Math.floor(sampledReads / threadCount));
  for (const { pid, threads } of processes) {
    let shared: Table | undefined;
    for (const thread of threads) {
      await maybeYield();
      const dir = `task/${thread}/fd`;
      if (readsLeft < 0) return Infinity;
      if (shared && (await seemsShared(pid, dir, shared, sampleSize))) continue;
      readsLeft -= openIn(pid, dir);
      if (readsLeft < 0) return Infinity;
      const fds = lookInto(pid, dir, (path) => readdirSync(path)) ?? [];
      for (const fd of fds) {
        await maybeYield();
        lookAt(pid, `${dir}/${fd}`);
      }
      // The first thread of a process may have ended before the others.
      if (fds.length > 0) shared ??= { dir, fds };
    }
    await maybeYield();
    const { mappings, sizeBytes } = mappingsOf(pid, threads);
    readsLeft -= sizeBytes / kibibyte;
    let resident: ReadonlyMap<number, number> | undefined;
    for (const { range, inode } of mappings.filter(({ path }) => isWithin(path))) {
      await maybeYield();
      readsLeft -= 1;
      if (readsLeft < 0) return Infinity;
      if (count(pid, `map_files/${range}`) !== undefined) continue;
      resident ??= residentBytes(pid);
      found.set(inode, Math.max(found.get(inode) ?? 0, resident.get(inode) ?? 0));
    }
  }
  return [...found.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** The descriptors of a thread, at `task/THREAD/fd`. */
type Table = { readonly dir: string; readonly fds: readonly string[] };

/** Returns the number of descriptors. Since Linux 6.2, a stat reports it, so the folder need not be listed. */
function openIn(pid: number, dir: string): number {
  return lookInto(pid, dir, (path) => statSync(path).size || readdirSync(path).length) ?? 0;
}

function oneOf(fds: readonly string[]): string {
  return fds[Math.floor(Math.random() * fds.length)] ?? '';
}

/** Stands for a path that is too long to be read, because the folders are too deep. */
const tooLong = Symbol('too long');

function linkAt(path: string): string | typeof tooLong {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (errorCode(error) !== 'ENAMETOOLONG') throw error;
    return tooLong;
  }
}

/** The columns of proc_pid_maps(5): range, permissions, offset, device, inode, path. */
const mapping = /^(?<range>[\da-f]+-[\da-f]+) \S+ \S+ \S+ (?<inode>\d+) +(?<path>\/.*)$/;

type Mapping = { readonly range: string; readonly inode: number; readonly path: string };

function mappingsOf(pid: number, threads: readonly string[]): { mappings: readonly Mapping[]; sizeBytes: number } {
  // If the first thread of a process has ended, only the other threads show the mappings.
  for (const thread of threads) {
    const maps = lookInto(pid, `task/${thread}/maps`, (path) => readFileSync(path, 'utf8')) ?? '';
    if (maps === '') continue;
    const lines = maps.includes(deleted) ? maps.split('\n') : [];
    const mappings = lines.flatMap((line) => {
      const { range = '', inode = '', path = '' } = mapping.exec(line)?.groups ?? {};
      return range === '' ? [] : [{ range, inode: Number(inode), path }];
    });
    return { mappings, sizeBytes: maps.length };
  }
  return { mappings: [], sizeBytes: 0 };
}

/** Maps the inode of each mapped file to the number of its bytes that the process has in memory. */
function residentBytes(pid: number): ReadonlyMap<number, number> {
  const text = lookInto(pid, 'smaps', (path) => readFileSync(path, 'utf8')) ?? '';
  const resident = new Map<number, number>();
  let inode = 0;
  for (const line of text.split('\n')) {
    const head = mapping.exec(line)?.groups;
    if (head || /^[\da-f]+-/.test(line)) inode = Number(head?.inode ?? 0);
    const [, size] = /^Rss: +(\d+) kB$/.exec(line) ?? [];
    if (size !== undefined) resident.set(inode, (resident.get(inode) ?? 0) + Number(size) * kibibyte);
  }
  return resident;
}
