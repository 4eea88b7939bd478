// What asks a command to stop: SIGTERM and SIGINT, the first in order, a second one at once; a reader who has gone.

import { systemClock } from '../../lib/clock.ts';
import { exitCodes } from '../exit-code.ts';

/** One Ctrl-C can arrive twice: npm passes on what the terminal has already sent to every process. */
const echoMs = 250;

/** Resolves with the first of them; each one after it calls `again`, which ends the process where nothing else is said. */
export function stopSignal(again: () => void = endAtOnce): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let countedAtMs: number | undefined;
    const stop = (signal: NodeJS.Signals) => {
      const nowMs = systemClock.monotonicMs();
      const isFirst = countedAtMs === undefined;
      if (countedAtMs !== undefined && nowMs - countedAtMs <= echoMs) return;
      countedAtMs = nowMs;
      if (isFirst) resolve(signal);
      else again();
    };
    process.on('SIGTERM', stop).on('SIGINT', stop);
  });
}

export function endAtOnce(): never {
  process.exit(exitCodes.interrupted);
}

/** Each SIGTERM and SIGINT from now on, until the function that it gives back is called. */
export function onInterrupt(act: () => void): () => void {
  let countedAtMs = -Infinity;
  const take = (): void => {
    const nowMs = systemClock.monotonicMs();
    if (nowMs - countedAtMs <= echoMs) return;
    countedAtMs = nowMs;
    act();
  };
  process.on('SIGTERM', take).on('SIGINT', take);
  return () => void process.off('SIGTERM', take).off('SIGINT', take);
}

export type Interrupts = {
  /** What each of them does from now on, and the one that came already. */
  readonly answer: (act: () => void) => void;
  readonly release: () => void;
};

/**
 * From before something is made that Ctrl-C is to stop: the first one is kept until there is something to stop, a second one
 * ends the process. There is one listener throughout: a signal that comes between two would be lost.
 */
export function keepInterrupts(): Interrupts {
  let isKept = false;
  let act = (): void => {
    if (isKept) endAtOnce();
    isKept = true;
  };
  const release = onInterrupt(() => act());
  return {
    answer(next) {
      act = next;
      if (isKept) next();
    },
    release,
  };
}

/** Nobody reads standard output any more, as in `flwd logs RUN --follow | head -1`; seen when something is written. */
export function onReaderGone(act: () => void): () => void {
  process.stdout.on('error', act);
  return () => void process.stdout.off('error', act);
}
