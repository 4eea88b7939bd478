// Reads from /proc which processes are alive, and which are in a pid namespace. When the host lacks descriptors or
// memory, functions throw: an empty result would be a false proof that nothing is left.

import { constants, readdirSync, readFileSync, readlinkSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { bootId } from '../../lib/boot-id.ts';
import { errorCode } from '../../lib/error-code.ts';
import { isThere } from '../../lib/files/is-there.ts';

/**
 * Identifies a process. Its start time, in clock ticks since the boot, distinguishes it from a later process with the
 * same pid.
 */
export type ProcessIdentity = { readonly pid: number; readonly startTicks: number; readonly bootId: string };

/**
 * Whether this very process is alive, and not a later one with the same pid. A zombie does not count as alive, because
 * some hosts reap orphans only after seconds.
 */
export function isAlive(identity: ProcessIdentity): boolean {
  return isOfThisBoot(identity) && startTicksOf(identity.pid) === identity.startTicks;
}

/** Whether the process was started in this boot. Pids and namespaces of an earlier boot no longer mean anything. */
export function isOfThisBoot(identity: ProcessIdentity): boolean {
  return identity.bootId === bootId();
}

/** A pid namespace: the host's pid of its first process, and the inode of /proc/PID/ns/pid. */
export type PidNamespace = { readonly initPid: number; readonly inode: number };

/**
 * Whether nothing is left of the namespace. The kernel lets the first process end only after all other members have
 * been killed and reaped (pid_namespaces(7)), so checking one process is enough.
 */
export function isEmpty({ initPid, inode }: PidNamespace): boolean {
  // The first process may have ended without being reaped yet.
  return startTicksOf(initPid) === undefined || !isMember(initPid, inode);
}

/**
 * Whether the arguments of a process show that it belongs to another attempt. A dying process has no arguments any
 * more, so for it this returns false.
 */
export function isOfOtherAttempt(pid: number, attemptDir: string): boolean {
  const words = argumentsOf(pid).filter((word) => word !== '');
  return words.length > 0 && !words.some((word) => word.startsWith(`${attemptDir}/`));
}

function argumentsOf(pid: number): string[] {
  return lookInto(pid, 'cmdline', (path) => readFileSync(path, 'utf8'))?.split('\0') ?? [];
}

/**
 * Finds the live helper processes of an attempt: its shim, and what the shim has started to run the script. They have
 * the attempt's status file open for writing as descriptor 3, or they are bwrap (libexec/shim.bash).
 */
export function helpersOf(attemptDir: string): number[] {
  const status = statSync(join(attemptDir, 'status'), { throwIfNoEntry: false });
  return pids().filter((pid) => isBwrapOf(pid, attemptDir) || (status !== undefined && writesTo(pid, status)));
}

/** Finds the live processes of bwrap: the one that waits, and the first process of the namespace. */
export function bwrapsOf(attemptDir: string): number[] {
  return pids().filter((pid) => isBwrapOf(pid, attemptDir));
}

/** Whether the process is a bwrap of the attempt. Its first argument is a path in the attempt's folder. */
function isBwrapOf(pid: number, attemptDir: string): boolean {
  return argumentsOf(pid)[0] === join(attemptDir, 'bwrap');
}

export function isChildOf(pid: number, parent: number): boolean {
  const stat = statOf(pid);
  return stat !== undefined && !isOver(stat.state) && stat.parent === parent;
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

/**
 * Finds the live processes of the namespace. The kernel soon reuses the inode of a namespace that has ended, so the
 * last check is that the namespace still exists.
 */
export function membersOf(namespace: PidNamespace): number[] {
  const members = pids().filter((pid) => isMember(pid, namespace.inode));
  return isEmpty(namespace) ? [] : members;
}

/**
 * The processes of the namespace, found as descendants of its first process. This looks only at them, and not at every
 * process of the host. It may miss a process that is forked during the search.
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

export function listProcesses(): ListedProcess[] {
  return pids().flatMap((pid) => {
    const stat = statOf(pid);
    return stat && !isOver(stat.state) ? [{ pid, ...stat }] : [];
  });
}

/**
 * Sends a signal to a process, or to a process group if the number is negative. Returns false if the process does not
 * exist, or if this user may not send it a signal.
 */
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

/** Whether the process has ended and only its entry in the process table is left. */
function isOver(state: string): boolean {
  return state === 'Z' || state === 'X';
}

type Stat = { readonly state: string; readonly parent: number; readonly group: number; readonly startTicks: number };

/**
 * Returns undefined for a process that does not exist or is hidden. The parent is 0 if it is not in this pid namespace.
 */
export function statOf(pid: number): Stat | undefined {
  const stat = lookInto(pid, 'stat', (path) => readFileSync(path, 'utf8'));
  // The name is in parentheses and may contain spaces and parentheses. The state is the third field, the start time the
  // 22nd.
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

/** The errors for a process that has ended, or that belongs to another user. */
const nothingSaid = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EPERM']);

/** Reads an entry of /proc/PID with `read`. Returns undefined for a process that does not exist or is hidden. */
export function lookInto<T>(pid: number, name: string, read: (path: string) => T): T | undefined {
  try {
    return isThere(`/proc/${pid}`) ? read(`/proc/${pid}/${name}`) : undefined;
  } catch (error) {
    if (nothingSaid.has(errorCode(error) ?? '')) return undefined;
    throw error;
  }
}
