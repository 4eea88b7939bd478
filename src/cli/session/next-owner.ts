// Finds who has a data dir, as often as its owner leaves (ADR 0021).

import { setTimeout as delay } from 'node:timers/promises';
import { DataDirOwned, findOwner } from '../../instance/owner-lock.ts';
import { systemClock } from '../../lib/clock.ts';
import { isSameOwner, type Owner, toOwner } from './owner.ts';

export type OwnerSearch = {
  /**
   * The owner after this one. A server that has gone is waited for, since its operator starts the next one; where a
   * command has gone, or nobody was there, this process becomes the owner.
   * undefined: there is no other one. @throws DataDirOwned where the first one does not say where it is
   */
  readonly next: (before: Owner | undefined) => Promise<Owner | undefined>;
  /** The owner has answered: if it fails, the next one is waited for as long as ever. */
  readonly found: () => void;
  readonly stop: () => void;
};

/** Makes this process the owner, until a server asks for the data dir. @throws DataDirOwned, StartError */
type BecomeOwner = (onYield: (own: Promise<Owner>) => void) => Promise<Owner>;

/** How long the next owner is waited for after the last one failed, or after the last sign of an owner since then. */
const ownerWithinMs = 10_000;
const againMs = 50;

export function createOwnerSearch(dataDir: string, becomeOwner: BecomeOwner): OwnerSearch {
  let makesWayUntilMs = -Infinity;
  let lastSignMs = systemClock.monotonicMs();
  /** No owner has answered since the last one failed. */
  let isBroken = false;
  const stopping = new AbortController();

  /** A server wants the data dir: it has it from now on, and this command asks it. */
  async function makeWay(own: Owner): Promise<void> {
    makesWayUntilMs = systemClock.monotonicMs() + ownerWithinMs;
    await own.close();
  }

  /** @returns why not where another process was faster */
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
    // Later requests do not wait again for a server that was given up.
    if (mayBecome || !isBroken) lastSignMs = systemClock.monotonicMs();
    isBroken = true;
    while (!stopping.signal.aborted) {
      let refused: DataDirOwned | undefined;
      const owner = await findOwner(dataDir);
      if (owner?.makesWay) makesWayUntilMs = systemClock.monotonicMs() + ownerWithinMs;
      if (owner?.url && !(before && isSameOwner(dataDir, before, owner))) return toOwner(dataDir, owner, owner.url);
      // It starts or leaves. A command does so in a moment; of anything else that has the data dir nobody knows how long.
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
