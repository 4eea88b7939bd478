// SIGTERM and SIGINT: the first asks to stop in order, a second one to end at once.

import { systemClock } from '../lib/clock.ts';
import { exitCodes } from './exit-code.ts';

/** One Ctrl-C can arrive twice: npm passes on what the terminal has already sent to every process. */
const echoMs = 250;

/** Resolves with the first of them; from then on a second one ends the process. */
export function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let firstAtMs: number | undefined;
    const stop = (signal: NodeJS.Signals) => {
      const nowMs = systemClock.now();
      firstAtMs ??= nowMs;
      if (nowMs - firstAtMs > echoMs) process.exit(exitCodes.interrupted);
      resolve(signal);
    };
    process.on('SIGTERM', stop).on('SIGINT', stop);
  });
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
