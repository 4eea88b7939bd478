// The time that retention uses. If the wall clock runs ahead for a while, this time does not (ADR 0036).

import { type SteadyClock, watchWallClock } from '../../lib/clock.ts';
import type { ClockDoubt, InstanceStore } from '../../store/instance.ts';
import { isStorageError } from '../../store/storage-error.ts';

/**
 * For how long a clock that was moved forward is not trusted. After this time, an administrator should have noticed a
 * wrong clock.
 */
const doubtMs = 86_400_000;

export type RetentionClock = SteadyClock & {
  /** Subtracts time, as if the clock had been moved forward. */
  readonly doubt: (doubt: ClockDoubt) => void;
  /** The doubts that count now. */
  readonly doubts: () => readonly ClockDoubt[];
};

/**
 * The wall clock. If somebody moved it forward in the last day and has not moved it back, the difference is subtracted.
 */
export function createRetentionClock(clock: SteadyClock): RetentionClock {
  /** `endMs` is on the monotonic clock. */
  let doubted: { readonly byMs: number; readonly endMs: number }[] = [];
  const doubt = ({ byMs, leftMs }: ClockDoubt): void =>
    void doubted.push({ byMs, endMs: clock.monotonicMs() + leftMs });
  const { now, monotonicMs } = watchWallClock(clock, (byMs) => {
    if (byMs > 0) doubt({ byMs, leftMs: doubtMs });
    else takeBack(-byMs);
  });

  function takeBack(byMs: number): void {
    let leftMs = byMs;
    for (let last = doubted.pop(); last; last = doubted.pop()) {
      if (last.byMs > leftMs) {
        doubted.push({ ...last, byMs: last.byMs - leftMs });
        return;
      }
      leftMs -= last.byMs;
    }
  }

  function readNow(): number {
    // If the clock was set back, the earlier time counts at once. watchWallClock may return the later time for a
    // while: it reads two clocks one after the other, and trusts the difference only if both were read quickly.
    const nowMs = Math.min(now(), clock.now());
    doubted = doubted.filter(({ endMs }) => monotonicMs() < endMs);
    return nowMs - doubted.reduce((sum, { byMs }) => sum + byMs, 0);
  }

  return {
    doubt,
    monotonicMs,
    now: readNow,
    doubts() {
      readNow();
      return doubted.map(({ byMs, endMs }) => ({ byMs, leftMs: endMs - monotonicMs() }));
    },
  };
}

/** Stores the doubts of a clock, because the clock may still be wrong after a restart. */
export function createStoredDoubts(
  clock: RetentionClock,
  o: {
    readonly instance: Pick<InstanceStore, 'clockDoubts' | 'setClockDoubts'>;
    /** How long no server was running before this one. */
    readonly stoppedMs: number;
  },
) {
  let loading: Promise<void> | undefined;
  let isStored = false;

  async function load(): Promise<void> {
    for (const doubt of await o.instance.clockDoubts()) clock.doubt(doubt);
    // A server that starts with a clock far ahead believes that no server was running for that long.
    if (o.stoppedMs >= doubtMs) clock.doubt({ byMs: o.stoppedMs, leftMs: doubtMs });
    isStored = clock.doubts().length > 0;
  }

  return {
    /** Call it when a server starts. A command trusts the clock, and stores nothing. */
    begin(): void {
      loading ??= load();
    },
    /** Resolves when the clock has the stored doubts. */
    loaded: (): Promise<void> => loading ?? Promise.resolve(),
    async save(): Promise<void> {
      if (!loading) return;
      await loading;
      const doubts = clock.doubts();
      if (doubts.length === 0 && !isStored) return;
      try {
        await o.instance.setClockDoubts(doubts);
        isStored = doubts.length > 0;
      } catch (error) {
        // On a full disk, retention makes room first.
        if (!isStorageError(error)) throw error;
      }
    },
  };
}
