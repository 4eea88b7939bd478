// Waits for a turn, and gives up the wait when nobody wants the work any more.

import type { LimitFunction } from 'p-limit';

/** Resolves with the result of `work`; undefined when the signal was aborted before `work` began. */
export async function inTurn<T>(
  limit: LimitFunction,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T | undefined> {
  let hasBegun = false;
  const aborted = Promise.withResolvers<undefined>();
  const giveUp = (): void => {
    if (!hasBegun) aborted.resolve(undefined);
  };
  signal.addEventListener('abort', giveUp, { once: true });
  const done = limit(async () => {
    if (signal.aborted) return undefined;
    hasBegun = true;
    return work();
  });
  try {
    return await Promise.race([done, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}
