// Finds the processes that have a socket open, and their ancestors, as far as /proc shows them to the server's user.

import { opendirSync, readlinkSync, statSync } from 'node:fs';
import { createSharedRead } from '../../lib/shared-read.ts';
import { createYielder } from '../../lib/yielder.ts';
import { lookInto, pids, statOf } from './process-table.ts';

export type Holder = { readonly pid: number; readonly fd: string };

/** `unread` are processes with too many descriptors to read. Each of them may have the socket open. */
type Reading = {
  /** The processes, by the inode of the socket. Each process is listed once. */
  readonly holders: ReadonlyMap<string, readonly Holder[]>;
  readonly unread: readonly number[];
};

/** How long to read before yielding to other requests. To read all processes takes 5 ms or more. */
const sliceMs = 1;
/** How many descriptors of a process are read at most. Reading this many takes 60 ms. */
const mostDescriptors = 4_096;
const mostAncestors = 64;

const readSockets = createSharedRead(async (): Promise<Reading> => {
  const maybeYield = createYielder(sliceMs);
  const holders = new Map<string, Holder[]>();
  const unread: number[] = [];
  for (const pid of pids()) {
    let descriptors = 0;
    for (const fd of isOwn(pid) ? descriptorsOf(pid) : []) {
      descriptors += 1;
      if (descriptors > mostDescriptors) {
        unread.push(pid);
        break;
      }
      const inode = socketAt(pid, fd);
      const others = inode === undefined ? undefined : holders.get(inode);
      if (others && others.at(-1)?.pid !== pid) others.push({ pid, fd });
      else if (inode !== undefined && !others) holders.set(inode, [{ pid, fd }]);
      await maybeYield();
    }
    await maybeYield();
  }
  return { holders, unread };
});

/**
 * Returns the processes that have the socket open, and those that may have it open.
 * @throws the system's error if this cannot be determined at present, for lack of descriptors or memory
 */
export async function holdersOf(
  inode: string,
): Promise<{ readonly holders: readonly Holder[]; readonly unread: readonly number[] }> {
  const { holders, unread } = await readSockets();
  return { holders: holders.get(inode) ?? [], unread };
}

export function stillHolds({ pid, fd }: Holder, inode: string): boolean {
  return socketAt(pid, fd) === inode;
}

/** Returns the process and all its ancestors; undefined if they cannot be followed to the first process. */
export function ancestryOf(pid: number): readonly number[] | undefined {
  // If a parent ends between two reads, the child gets another parent, so this starts again.
  for (let tries = 0; tries < 3; tries++) {
    const ancestry = readAncestry(pid);
    if (ancestry) return ancestry;
  }
  return undefined;
}

function readAncestry(pid: number): readonly number[] | undefined {
  const ancestry: number[] = [];
  let bornTicks = Number.POSITIVE_INFINITY;
  for (let at = pid; at !== 0; ) {
    const stat = statOf(at);
    // A parent is older than its child. If this process is younger, the parent has ended and another process has its
    // pid.
    if (!stat || stat.startTicks > bornTicks) return undefined;
    if (ancestry.push(at) > mostAncestors) return undefined;
    ({ parent: at, startTicks: bornTicks } = stat);
  }
  return ancestry;
}

/**
 * Whether the server may read the descriptors of the process. The kernel shows only the descriptors of the user's own
 * processes. If a process hides its descriptors, its folder in /proc belongs to root.
 */
function isOwn(pid: number): boolean {
  return lookInto(pid, '', (path) => statSync(path).uid) === process.geteuid?.();
}

/** Lists a few descriptors at a time: listing 100,000 at once takes as long as answering hundreds of requests. */
function* descriptorsOf(pid: number): Generator<string> {
  const dir = lookInto(pid, 'fd', (path) => opendirSync(path));
  if (!dir) return;
  try {
    for (let entry = next(); entry; entry = next()) yield entry.name;
  } finally {
    dir.closeSync();
  }

  function next() {
    return lookInto(pid, 'fd', () => dir?.readSync());
  }
}

function socketAt(pid: number, fd: string): string | undefined {
  const target = lookInto(pid, `fd/${fd}`, (path) => readlinkSync(path));
  return target?.startsWith('socket:[') ? target.slice('socket:['.length, -1) : undefined;
}
