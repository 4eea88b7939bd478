// Finds the processes on this host that runs of the loop have left: by command line, by environment, and by the
// recorded pid namespaces.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

export type Left = { readonly pid: number; readonly command: string; readonly because: string };
export type Namespace = { readonly initPid: number; readonly inode: number };

export function leftProcesses(texts: readonly string[], namespaces: Iterable<Namespace>): Left[] {
  const left: Left[] = [];
  const alive = new Set([...namespaces].filter(isAlive).map(({ inode }) => `pid:[${inode}]`));
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid || isZombie(pid)) continue;
    const command = readText(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
    const environment = readText(`/proc/${pid}/environ`);
    if (texts.some((text) => command.includes(text))) left.push({ pid, command, because: 'its command line' });
    else if (texts.some((text) => environment.includes(text))) left.push({ pid, command, because: 'its environment' });
    else if (alive.has(namespaceOf(pid))) left.push({ pid, command, because: 'its pid namespace' });
  }
  return left;
}

/** The sandboxes of the attempts that have a folder now, and their shims. */
export function sandboxesIn(runsDir: string): (Namespace & { shimPid: number; runId: string; isOver: boolean })[] {
  const found: (Namespace & { shimPid: number; runId: string; isOver: boolean })[] = [];
  for (const runId of listed(runsDir)) {
    for (const attempt of listed(join(runsDir, runId))) {
      const status = readText(join(runsDir, runId, attempt, 'status'));
      const [, shimPid] = /"pid":(\d+)/.exec(status) ?? [];
      const [, initPid] = /"child-pid": ?(\d+)/.exec(status) ?? [];
      const [, inode] = /"pid-namespace": ?(\d+)/.exec(status) ?? [];
      if (shimPid === undefined || initPid === undefined || inode === undefined) continue;
      const isOver = /"exit"/.test(status);
      found.push({ runId, shimPid: Number(shimPid), initPid: Number(initPid), inode: Number(inode), isOver });
    }
  }
  return found;
}

/** The kernel reuses inodes and pids. Only both together identify a namespace. */
function isAlive({ initPid, inode }: Namespace): boolean {
  return !isZombie(initPid) && namespaceOf(initPid) === `pid:[${inode}]`;
}

function namespaceOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return '';
  }
}

function isZombie(pid: number): boolean {
  const stat = readText(`/proc/${pid}/stat`);
  return stat.charAt(stat.lastIndexOf(')') + 2) === 'Z';
}

/** Returns '' when the file does not exist. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function listed(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
