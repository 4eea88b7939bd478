// Finds the owner of a data dir, and the next one whenever an owner ends (ADR 0021).

import { setTimeout as delay } from 'node:timers/promises';
import { DataDirOwned, findOwner } from '../../instance/owner-lock.ts';
import { systemClock } from '../../lib/clock.ts';
import { isSameOwner, type Owner, toOwner } from './owner.ts';

export type OwnerSearch = {
  /**
   * The owner after `before`. If a server ended, this waits for the operator's next one. If a command ended, or nobody
   * owned the data dir, this process becomes the owner.
   * undefined: no other owner appeared. @throws DataDirOwned if the first owner does not announce its address
   */
  readonly next: (before: Owner | undefined) => Promise<Owner | undefined>;
  /** The owner answered. If it fails later, the next search may take the full time again. */
  readonly found: () => void;
  readonly stop: () => void;
};

/** Makes this process the owner until a server asks for the data dir. @throws DataDirOwned, StartError */
type BecomeOwner = (onYield: (own: Promise<Owner>) => void) => Promise<Owner>;

/** How long to wait for the next owner after the last one failed, or after the last sign of life of an owner. */
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
    // Later requests do not wait again for a server that never came back.
    if (mayBecome || !isBroken) lastSignMs = systemClock.monotonicMs();
    isBroken = true;
    while (!stopping.signal.aborted) {
      let refused: DataDirOwned | undefined;
      const owner = await findOwner(dataDir);
      if (owner?.makesWay) makesWayUntilMs = systemClock.monotonicMs() + ownerWithinMs;
      if (owner?.url && !(before && isSameOwner(dataDir, before, owner))) return toOwner(dataDir, owner, owner.url);
      // This owner is starting or ending. A command does that in a moment; other processes may take any time.
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
