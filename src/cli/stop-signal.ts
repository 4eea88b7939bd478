// SIGTERM and SIGINT: the first asks to stop in order, a second one to end at once.

import { systemClock } from '../lib/clock.ts';
import { exitCodes } from './exit-code.ts';

/** One Ctrl-C can arrive twice: npm passes on what the terminal has already sent to every process. */
const echoMs = 250;

/** Resolves with the first of them; each one after it calls `again`, which ends the process where nothing else is said. */
export function stopSignal(again: () => void = endAtOnce): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let countedAtMs: number | undefined;
    const stop = (signal: NodeJS.Signals) => {
      const nowMs = systemClock.now();
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
  let lastAtMs = -Infinity;
  const take = (): void => {
    const nowMs = systemClock.now();
    if (nowMs - lastAtMs > echoMs) act();
    lastAtMs = nowMs;
  };
  process.on('SIGTERM', take).on('SIGINT', take);
  return () => void process.off('SIGTERM', take).off('SIGINT', take);
}
