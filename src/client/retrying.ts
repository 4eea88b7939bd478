// What is asked of a server again and again: answers that are kept up to date, and streams that are opened again.

import { isWorthOpeningAnew } from './error-words.ts';

/**
 * Calls `load` now, and again when asked; where it is asked while it loads, once more after that. An answer of `load` is after
 * how many milliseconds to load again by itself; null: not at all.
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
 * Opens a stream again for as long as that may help.
 * @param read returns whether the stream was read to its end
 * @returns why it is given up; undefined: it was read, or the signal is aborted
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
      if (!isWorthOpeningAnew(error)) return error;
    }
    await new Promise((resolve) => setTimeout(resolve, o.retryMs));
  }
  return undefined;
}
