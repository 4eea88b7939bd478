// Decides whether a connection belongs to a run or to the server's own user (ADR 0032). It looks for a process that has
// the connection open and is outside of every run. Looking for a process of a run that has the connection open would
// miss cases: while a job passes the descriptor to another process, no process has it.

import { createYielder } from '../../lib/yielder.ts';
import { killDomainOf } from './kill-domain.ts';
import { attemptDirs, isAttemptAlive } from './live-attempts.ts';
import { readStatus } from './shim-status.ts';
import { ancestryOf, holdersOf, stillHolds } from './socket-holders.ts';

/**
 * `unknown` means that no process with the connection was found, or that the ancestors of such a process cannot be
 * seen.
 */
type SocketOwner = 'outside' | 'run' | 'unknown';

export type RunCallers = ReturnType<typeof createRunCallers>;

/**
 * How long an attempt is remembered after its end. A connection may be accepted after the script that opened it has
 * ended, because the script may have passed it to another process.
 */
const lingerMs = 1_000;
/** How long to work before yielding to other requests. */
const sliceMs = 1;
/** If more processes than this may have the connection open, their ancestors are not looked up. */
const mostConcerned = 32;

export function createRunCallers() {
  const attempts = new Map<string, { readonly hasNetwork: boolean; readonly isLeft: boolean }>();

  function forgetEnded(): void {
    for (const [attemptDir, { isLeft }] of attempts)
      if (isLeft && !isAttemptAlive(attemptDir)) attempts.delete(attemptDir);
  }

  /**
   * Returns the pids from which all processes of runs descend: the shims, and the first process of each sandbox, which
   * may outlive a killed shim for a moment.
   */
  function rootsOfRuns(): ReadonlySet<number> {
    const roots = new Set<number>();
    for (const attemptDir of attempts.keys()) {
      const status = readStatus(attemptDir) ?? {};
      if (status.shim) roots.add(status.shim.pid);
      if (status.sandbox) roots.add(status.sandbox.initPid);
      // A daemon of a script without a sandbox does not descend from the shim.
      if (status.script) for (const pid of killDomainOf(attemptDir, status)?.members() ?? []) roots.add(pid);
    }
    return roots;
  }

  return {
    /**
     * Call this before an attempt starts or is resumed. `hasNetwork` means that the attempt can connect to the server.
     */
    enter: (attemptDir: string, hasNetwork: boolean) => void attempts.set(attemptDir, { hasNetwork, isLeft: false }),
    /** Call this when no process of the attempt is left. */
    leave(attemptDir: string): void {
      const attempt = attempts.get(attemptDir);
      setTimeout(() => attempts.get(attemptDir) === attempt && attempts.delete(attemptDir), lingerMs).unref();
    },
    /** Call this when nobody watches the attempt any more, but a process of it may be left. */
    lose(attemptDir: string): void {
      const attempt = attempts.get(attemptDir);
      if (attempt) attempts.set(attemptDir, { ...attempt, isLeft: true });
    },
    /**
     * Adds the attempts of a run that a former server has left running. They stay until they are resumed or have ended.
     */
    enterLeft(runDir: string): void {
      for (const attemptDir of attemptDirs(runDir))
        if (isAttemptAlive(attemptDir)) attempts.set(attemptDir, { hasNetwork: true, isLeft: true });
    },
    /** Whether a run may have opened a connection that is accepted now. */
    canCall: (): boolean => [...attempts.values()].some(({ hasNetwork }) => hasNetwork),
    /** @throws the system's error if this cannot be determined at present, for lack of descriptors or memory */
    async ownerOf(inode: string): Promise<SocketOwner> {
      const { holders, unread } = await holdersOf(inode);
      forgetEnded();
      const concerned = [...holders.map(({ pid }) => pid), ...unread];
      if (concerned.length > mostConcerned) return 'unknown';
      const maybeYield = createYielder(sliceMs);
      const ancestries = new Map<number, readonly number[] | undefined>();
      for (const pid of concerned) {
        ancestries.set(pid, ancestryOf(pid));
        await maybeYield();
      }
      // The roots are read after the ancestors, so no script is missed: a script begins only after the status of its
      // attempt names the shim.
      const roots = rootsOfRuns();
      const isOfRun = (pid: number): boolean => ancestries.get(pid)?.some((ancestor) => roots.has(ancestor)) ?? false;
      if (holders.some(({ pid }) => isOfRun(pid))) return 'run';
      if (unread.some((pid) => ancestries.get(pid) === undefined || isOfRun(pid))) return 'unknown';
      // If a process has ended or closed the socket, its pid may belong to another process by now.
      const found = holders.filter((holder) => stillHolds(holder, inode));
      return found.length > 0 && found.every(({ pid }) => isOutside(ancestries.get(pid))) ? 'outside' : 'unknown';
    },
  };
}

/**
 * Whether a process counts as a caller outside of all runs. Its ancestors must be known, and it must not be the server
 * itself.
 */
function isOutside(ancestry: readonly number[] | undefined): boolean {
  return ancestry !== undefined && ancestry[0] !== process.pid;
}
