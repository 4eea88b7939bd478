// Finds the owner of a data dir, and the next one whenever an owner ends (ADR 0021).

import { setTimeout as delay } from 'node:timers/promises';
import { DataDirOwned, findOwner } from '../../instance/owner-lock.ts';
import { systemClock } from '../../lib/clock.ts';
import { isSameOwner, type Owner, toOwner } from './owner.ts';

export type OwnerSearch = {
  /**
   * Returns the owner that follows `before`; undefined if none appears in time. If `before` is a server, this waits
   * until the operator starts another server. If `before` is a command or undefined, this process becomes the owner
   * unless another process is faster. @throws DataDirOwned if the first owner does not announce its address
   */
  readonly next: (before: Owner | undefined) => Promise<Owner | undefined>;
  /** Call this once the owner has answered. If it fails later, the next search may take the full time again. */
  readonly found: () => void;
  readonly stop: () => void;
};

/** Makes this process the owner until a server asks for the data dir. @throws DataDirOwned, StartError */
type BecomeOwner = (onYield: (own: Promise<Owner>) => void) => Promise<Owner>;

/**
 * How long to wait for the next owner, counted from the failure of the last one, or from the last sign that an owner is
 * starting or ending.
 */
const ownerWithinMs = 10_000;
const againMs = 50;

export function createOwnerSearch(dataDir: string, becomeOwner: BecomeOwner): OwnerSearch {
  let makesWayUntilMs = -Infinity;
  let lastSignMs = systemClock.monotonicMs();
  /** No owner has answered since the last one failed. */
  let isBroken = false;
  const stopping = new AbortController();

  /** A server asked for the data dir. It becomes the owner, and this command its client. */
  async function makeWay(own: Owner): Promise<void> {
    makesWayUntilMs = systemClock.monotonicMs() + ownerWithinMs;
    await own.close();
  }

  /** Returns the error if another process was faster. */
  async function tryToBecome(): Promise<Owner | DataDirOwned> {
    try {
      return await becomeOwner((own) => void own.then(makeWay, () => undefined));
    } catch (error) {
      if (!(error instanceof DataDirOwned)) throw error;
      return error;
    }
  }

  async function next(before: Owner | undefined): Promise<Owner | undefined> {
    const mayBecome = before?.isEphemeral ?? true;
    let seenPid: number | undefined;
    // The time to wait starts once for a server that has failed. Later requests do not start it again.
    if (mayBecome || !isBroken) lastSignMs = systemClock.monotonicMs();
    isBroken = true;
    while (!stopping.signal.aborted) {
      let refused: DataDirOwned | undefined;
      const owner = await findOwner(dataDir);
      if (owner?.makesWay) makesWayUntilMs = systemClock.monotonicMs() + ownerWithinMs;
      if (owner?.url && !(before && isSameOwner(dataDir, before, owner))) return toOwner(dataDir, owner, owner.url);
      // An owner without an address is starting or ending. A command starts or ends in a moment, so the wait starts
      // again whenever this loop finds a command. A server can take arbitrarily long, so the wait starts again only
      // once per server.
      if (owner && !owner.url && (owner.isEphemeral || owner.pid !== seenPid)) lastSignMs = systemClock.monotonicMs();
      seenPid = owner?.pid;
      const nowMs = systemClock.monotonicMs();
      if (mayBecome && !owner && nowMs > makesWayUntilMs) {
        const own = await tryToBecome();
        if (!(own instanceof DataDirOwned)) return own;
        refused = own;
      }
      if (nowMs > Math.max(lastSignMs, makesWayUntilMs) + ownerWithinMs) {
        if (before) return undefined;
        throw refused ?? new DataDirOwned(dataDir, owner);
      }
      await delay(againMs);
    }
    return undefined;
  }

  return {
    next,
    found: () => {
      isBroken = false;
    },
    stop: () => stopping.abort(),
  };
}
