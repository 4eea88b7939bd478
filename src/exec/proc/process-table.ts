// What /proc tells about processes: who lives, and who is in a pid namespace. A look that fails for want of descriptors or
// memory throws: taken for an empty one, it would be a false proof.

import { constants, readdirSync, readFileSync, readlinkSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
import { isThere } from '../../lib/files/is-there.ts';

/** A process told apart from a later one with the same pid: by its start, in clock ticks since that boot. */
export type ProcessIdentity = { readonly pid: number; readonly startTicks: number; readonly bootId: string };

let knownBootId: string | undefined;

/** Is this very process alive? A zombie is not: some hosts reap orphans only after seconds. */
export function isAlive(identity: ProcessIdentity): boolean {
  return isOfThisBoot(identity) && startTicksOf(identity.pid) === identity.startTicks;
}

/** Pids and namespaces of an earlier boot say nothing about those of this one. */
export function isOfThisBoot({ bootId }: ProcessIdentity): boolean {
  knownBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return bootId === knownBootId;
}

/** A pid namespace: its first process as the host numbers it, and the inode of /proc/PID/ns/pid. */
export type PidNamespace = { readonly initPid: number; readonly inode: number };

/**
 * Is nothing left of it? The kernel lets the first process end only after every other member has been killed and reaped
 * (pid_namespaces(7)), so that one process tells.
 */
export function isEmpty({ initPid, inode }: PidNamespace): boolean {
  // Mostly it has ended and was not reaped yet.
  return startTicksOf(initPid) === undefined || !isMember(initPid, inode);
}

/** Whether a process works for the attempt of another folder. One that is dying has no arguments any more, and may be of any. */
export function isOfOtherAttempt(pid: number, attemptDir: string): boolean {
  const words = argumentsOf(pid).filter((word) => word !== '');
  return words.length > 0 && !words.some((word) => word.startsWith(`${attemptDir}/`));
}

function argumentsOf(pid: number): string[] {
  return lookInto(pid, 'cmdline', (path) => readFileSync(path, 'utf8'))?.split('\0') ?? [];
}

/**
 * The living processes around the script of an attempt: its shim, and what that has started. They can write to its status file, as
 * descriptor 3, and bwrap bears the name of the attempt's folder (libexec/shim.bash).
 */
export function attendantsOf(attemptDir: string): number[] {
  const status = statSync(join(attemptDir, 'status'), { throwIfNoEntry: false });
  return pids().filter(
    (pid) => argumentsOf(pid)[0] === join(attemptDir, 'bwrap') || (status !== undefined && writesTo(pid, status)),
  );
}

function writesTo(pid: number, file: Stats): boolean {
  const open = lookInto(pid, 'fd/3', (path) => identify(statSync(path)));
  if (open !== identify(file)) return false;
  const info = lookInto(pid, 'fdinfo/3', (path) => readFileSync(path, 'latin1'));
  const [, flags = '0'] = /^flags:\s+(\d+)$/m.exec(info ?? '') ?? [];
  return (Number.parseInt(flags, 8) & (constants.O_WRONLY | constants.O_RDWR)) !== 0;
}

function identify({ dev, ino }: Stats): string {
  return `${dev} ${ino}`;
}

/** Its living processes. The kernel soon gives the inode of one that is gone to another, so its end has the last word. */
export function membersOf(namespace: PidNamespace): number[] {
  const members = pids().filter((pid) => isMember(pid, namespace.inode));
  return isEmpty(namespace) ? [] : members;
}

/**
 * Its processes, found by their descent from the first: that looks at them alone, and not at every process of the host. What forks
 * meanwhile may be left out.
 */
export function familyOf(namespace: PidNamespace): number[] {
  if (!isThere('/proc/thread-self/children')) return membersOf(namespace);
  if (isEmpty(namespace)) return [];
  const family = [namespace.initPid];
  for (const pid of family) family.push(...childrenOf(pid));
  return family;
}

function childrenOf(pid: number): number[] {
  return threadsOf(pid).flatMap((thread) => {
    const children = lookInto(pid, `task/${thread}/children`, (path) => readFileSync(path, 'latin1')) ?? '';
    return children.split(' ').filter(Boolean).map(Number);
  });
}

export function threadsOf(pid: number): string[] {
  return lookInto(pid, 'task', (path) => readdirSync(path)) ?? [];
}

export type ListedProcess = Stat & { readonly pid: number };

/** All living processes of the host. */
export function listProcesses(): ListedProcess[] {
  return pids().flatMap((pid) => {
    const stat = statOf(pid);
    return stat && !isOver(stat.state) ? [{ pid, ...stat }] : [];
  });
}

/** Sends a signal to a process, or to a group by its negative. False when there is none that this user may signal. */
export function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (['ESRCH', 'EPERM'].includes(errorCode(error) ?? '')) return false;
    throw error;
  }
}

export function pids(): number[] {
  return readdirSync('/proc')
    .filter((name) => name >= '1' && name < ':')
    .map(Number);
}

function isMember(pid: number, inode: number): boolean {
  const namespace = lookInto(pid, 'ns/pid', readlinkSync);
  return namespace === `pid:[${inode}]` && startTicksOf(pid) !== undefined;
}

function startTicksOf(pid: number): number | undefined {
  const { state = 'X', startTicks } = statOf(pid) ?? {};
  return isOver(state) ? undefined : startTicks;
}

/** Of such a process only the entry is left. */
function isOver(state: string): boolean {
  return state === 'Z' || state === 'X';
}

type Stat = { readonly state: string; readonly parent: number; readonly group: number; readonly startTicks: number };

/** undefined for a process that is not there, or not shown. A parent of 0 lies outside of what can be seen from here. */
export function statOf(pid: number): Stat | undefined {
  const stat = lookInto(pid, 'stat', (path) => readFileSync(path, 'utf8'));
  // The name, in parentheses, may hold spaces and parentheses. The state is the third field, the start the 22nd.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (
    fields && {
      state: fields[0] ?? '',
      parent: Number(fields[1]),
      group: Number(fields[2]),
      startTicks: Number(fields[19]),
    }
  );
}

/** What is said of a process that is gone, or another user's: nothing. */
const nothingSaid = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EPERM']);

/** What /proc/PID has by that name, read by `read`; undefined where it says nothing. */
export function lookInto<T>(pid: number, name: string, read: (path: string) => T): T | undefined {
  try {
    return isThere(`/proc/${pid}`) ? read(`/proc/${pid}/${name}`) : undefined;
  } catch (error) {
    if (nothingSaid.has(errorCode(error) ?? '')) return undefined;
    throw error;
  }
}
