// Keeps answers of a server up to date, and opens streams again.

import { isWorthReopening } from './error-words.ts';

/**
 * Calls `load` now and whenever `again` is called. Calls during a load cause one more load after it.
 * @param load returns after how many milliseconds to load again; null: only when `again` is called
 */
export function keepLoaded(load: (signal: AbortSignal) => Promise<number | null>): {
  readonly again: () => void;
  readonly stop: () => void;
} {
  const ending = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isLoading = false;
  let isAskedAgain = false;
  const again = async (): Promise<void> => {
    clearTimeout(timer);
    isAskedAgain = isLoading;
    if (isLoading) return;
    isLoading = true;
    const waitMs = await load(ending.signal).finally(() => {
      isLoading = false;
    });
    if (ending.signal.aborted) return;
    if (isAskedAgain) void again();
    else if (waitMs !== null) timer = setTimeout(() => void again(), waitMs);
  };
  void again();
  return {
    again: () => void again(),
    stop() {
      ending.abort();
      clearTimeout(timer);
    },
  };
}

/**
 * Opens a stream, and opens it again after an error as long as another attempt may help.
 * @param read returns whether the stream was read to its end
 * @returns the error that ended the attempts; undefined: the stream was read, or the signal was aborted
 */
export async function keepOpen(
  o: { readonly signal: AbortSignal; readonly retryMs: number },
  read: () => Promise<boolean>,
): Promise<unknown> {
  while (!o.signal.aborted) {
    try {
      if (await read()) return undefined;
    } catch (error) {
      if (o.signal.aborted) return undefined;
      if (!isWorthReopening(error)) return error;
    }
    await new Promise((resolve) => setTimeout(resolve, o.retryMs));
  }
  return undefined;
}
