// Work of one run that waits for the disk, and how much of it waits at present.

import { retryShortage } from '../../lib/shortage.ts';
import { isStorageError } from '../../store/storage-error.ts';

export type DiskRetry = {
  /** Does the work again while it is the disk that refuses it. After `signal` it throws. */
  readonly withRetry: <T>(work: () => T | Promise<T>) => Promise<T>;
  readonly isWaiting: () => boolean;
};

export function createDiskRetry(o: {
  readonly signal: AbortSignal;
  readonly onWait: (error: unknown) => void;
}): DiskRetry {
  let waits = 0;
  return {
    async withRetry(work) {
      let hasWaited = false;
      const onWait = (error: unknown): void => {
        hasWaited = true;
        waits += 1;
        o.onWait(error);
      };
      try {
        return await retryShortage(work, { isPassing: isStorageError, signal: o.signal, onWait });
      } finally {
        if (hasWaited) waits -= 1;
      }
    },
    isWaiting: () => waits > 0,
  };
}
