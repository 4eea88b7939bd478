// Tells a run's process behind a connection from one of the server's own user (ADR 0032). It looks for a process outside of
// every run, and not for one inside: a descriptor that is on its way from one process to another is held by none.

import { createYielder } from '../../lib/yielder.ts';
import { killDomainOf } from './kill-domain.ts';
import { attemptDirs, isAttemptAlive } from './live-attempts.ts';
import { readStatus } from './shim-status.ts';
import { holdersOf, lineageOf, stillHolds } from './socket-holders.ts';

/** `unknown`: no process is found behind it, or what it descends from cannot be seen. */
type SocketOwner = 'outside' | 'run' | 'unknown';

export type RunCallers = {
  /** An attempt is about to start, or to be resumed. `hasNetwork`: it can open a connection to the server. */
  readonly enter: (attemptDir: string, hasNetwork: boolean) => void;
  /** Nothing of it is left. */
  readonly leave: (attemptDir: string) => void;
  /** Nobody attends to it any more, and something of it may be left. */
  readonly lose: (attemptDir: string) => void;
  /** Enters what a former server has left running of a run, until it is resumed or has ended. */
  readonly enterLeft: (runDir: string) => void;
  /** Whether a run may have opened a connection that is accepted now. */
  readonly canCall: () => boolean;
  /** @throws the system's error where there is no telling at present, for want of descriptors or memory */
  readonly ownerOf: (inode: string) => Promise<SocketOwner>;
};

/** A connection may be accepted after the script that opened it has ended, by one that it was handed to. */
const lingerMs = 1_000;
/** Other requests are answered meanwhile. */
const sliceMs = 1;
/** Processes whose lineage is looked up for one connection. */
const mostConcerned = 32;

export function createRunCallers(): RunCallers {
  const attempts = new Map<string, { readonly hasNetwork: boolean; readonly isLeft: boolean }>();

  function forgetEnded(): void {
    for (const [attemptDir, { isLeft }] of attempts)
      if (isLeft && !isAttemptAlive(attemptDir)) attempts.delete(attemptDir);
  }

  /** The shims, and the first process of each sandbox, which a shim that is killed does not take along at once. */
  function rootsOfRuns(): ReadonlySet<number> {
    const roots = new Set<number>();
    for (const attemptDir of attempts.keys()) {
      const status = readStatus(attemptDir) ?? {};
      if (status.shim) roots.add(status.shim.pid);
      if (status.sandbox) roots.add(status.sandbox.initPid);
      // Without a sandbox a daemon descends from neither.
      if (status.script) for (const pid of killDomainOf(attemptDir, status)?.members() ?? []) roots.add(pid);
    }
    return roots;
  }

  return {
    enter: (attemptDir, hasNetwork) => void attempts.set(attemptDir, { hasNetwork, isLeft: false }),
    leave(attemptDir) {
      const attempt = attempts.get(attemptDir);
      setTimeout(() => attempts.get(attemptDir) === attempt && attempts.delete(attemptDir), lingerMs).unref();
    },
    lose(attemptDir) {
      const attempt = attempts.get(attemptDir);
      if (attempt) attempts.set(attemptDir, { ...attempt, isLeft: true });
    },
    enterLeft(runDir) {
      for (const attemptDir of attemptDirs(runDir))
        if (isAttemptAlive(attemptDir)) attempts.set(attemptDir, { hasNetwork: true, isLeft: true });
    },
    canCall: () => [...attempts.values()].some(({ hasNetwork }) => hasNetwork),
    async ownerOf(inode) {
      const { holders, unread } = await holdersOf(inode);
      forgetEnded();
      const concerned = [...holders.map(({ pid }) => pid), ...unread];
      if (concerned.length > mostConcerned) return 'unknown';
      const maybeYield = createYielder(sliceMs);
      const lineages = new Map<number, readonly number[] | undefined>();
      for (const pid of concerned) {
        lineages.set(pid, lineageOf(pid));
        await maybeYield();
      }
      // After the lineages: a script begins only once the status of its attempt names its shim.
      const roots = rootsOfRuns();
      const isOfRun = (pid: number): boolean => lineages.get(pid)?.some((ancestor) => roots.has(ancestor)) ?? false;
      if (holders.some(({ pid }) => isOfRun(pid))) return 'run';
      if (unread.some((pid) => lineages.get(pid) === undefined || isOfRun(pid))) return 'unknown';
      // The number of one that has ended or let go may stand for another process by now.
      const found = holders.filter((holder) => stillHolds(holder, inode));
      return found.length > 0 && found.every(({ pid }) => isOutside(lineages.get(pid))) ? 'outside' : 'unknown';
    },
  };
}

/** The server itself is no caller of its own. */
function isOutside(lineage: readonly number[] | undefined): boolean {
  return lineage !== undefined && lineage[0] !== process.pid;
}
