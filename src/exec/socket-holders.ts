// Which processes hold a socket, and which processes those descend from, as /proc shows it to their own user.

import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { createPace } from '../lib/pace.ts';
import { createSharedRead } from '../lib/shared-read.ts';
import { lookInto, pids, statOf } from './process-table.ts';

export type Holder = { readonly pid: number; readonly fd: string };

/** By the socket's inode. */
type Holders = ReadonlyMap<string, readonly Holder[]>;

/** A reading takes 5 ms and more, other requests are answered meanwhile. */
const sliceMs = 1;

const readHolders = createSharedRead(async (): Promise<Holders> => {
  const pace = createPace(sliceMs);
  const holders = new Map<string, Holder[]>();
  for (const pid of pids()) {
    for (const { fd, inode } of isOwn(pid) ? socketsOf(pid) : []) {
      const others = holders.get(inode);
      if (others) others.push({ pid, fd });
      else holders.set(inode, [{ pid, fd }]);
    }
    await pace();
  }
  return holders;
});

/** @throws the system's error where there is no telling at present, for want of descriptors or memory */
export async function holdersOf(inode: string): Promise<readonly Holder[]> {
  return (await readHolders()).get(inode) ?? [];
}

export function stillHolds({ pid, fd }: Holder, inode: string): boolean {
  return socketAt(pid, fd) === inode;
}

/** The process and all that it descends from; undefined where that cannot be followed to the end. */
export function lineageOf(pid: number): readonly number[] | undefined {
  // A parent that ends between two looks leaves its child to another one.
  for (let tries = 0; tries < 3; tries++) {
    const lineage = climbFrom(pid);
    if (lineage) return lineage;
  }
  return undefined;
}

function climbFrom(pid: number): readonly number[] | undefined {
  const lineage: number[] = [];
  let bornTicks = Number.POSITIVE_INFINITY;
  for (let at = pid; at !== 0; ) {
    const stat = statOf(at);
    // A parent is older than its child: another process has the number of the one that has ended.
    if (!stat || stat.startTicks > bornTicks) return undefined;
    lineage.push(at);
    ({ parent: at, startTicks: bornTicks } = stat);
  }
  return lineage;
}

/** The kernel shows the descriptors of nobody else's processes, and gives to root those that hide theirs. */
function isOwn(pid: number): boolean {
  return lookInto(pid, '', (path) => statSync(path).uid) === process.geteuid?.();
}

function socketsOf(pid: number): { readonly fd: string; readonly inode: string }[] {
  const sockets: { fd: string; inode: string }[] = [];
  for (const fd of lookInto(pid, 'fd', (path) => readdirSync(path)) ?? []) {
    const inode = socketAt(pid, fd);
    if (inode !== undefined) sockets.push({ fd, inode });
  }
  return sockets;
}

function socketAt(pid: number, fd: string): string | undefined {
  const target = lookInto(pid, `fd/${fd}`, (path) => readlinkSync(path));
  return target?.startsWith('socket:[') ? target.slice('socket:['.length, -1) : undefined;
}
