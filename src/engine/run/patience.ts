// Work of one run that waits for the disk, and how much of it waits at present.

import { outlast } from '../../lib/shortage.ts';
import { isStorageFault } from '../../store/storage-fault.ts';

export type Patience = {
  /** Does the work again while it is the disk that refuses it. After `signal` it throws. */
  readonly patiently: <T>(work: () => T | Promise<T>) => Promise<T>;
  readonly isWaiting: () => boolean;
};

export function createPatience(o: {
  readonly signal: AbortSignal;
  readonly onWait: (error: unknown) => void;
}): Patience {
  let waits = 0;
  return {
    async patiently(work) {
      let hasWaited = false;
      const onWait = (error: unknown): void => {
        hasWaited = true;
        waits += 1;
        o.onWait(error);
      };
      try {
        return await outlast(work, { isPassing: isStorageFault, signal: o.signal, onWait });
      } finally {
        if (hasWaited) waits -= 1;
      }
    },
    isWaiting: () => waits > 0,
  };
}
