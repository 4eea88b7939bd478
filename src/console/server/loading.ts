// What the pages know of the server: answers that are asked for again when something has happened, and the news that it has.

import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { ApiProblem } from '../../client/api-problem.ts';
import { errorText, isPassing, isWorthOpeningAnew } from '../../client/error-words.ts';
import type { Frame } from '../../client/resuming-stream.ts';
import { eventTypes } from '../../domain/event.ts';
import { harmless } from '../pieces/words.ts';
import { useClient } from './session.tsx';
import { withStreamRoom } from './stream-room.ts';

export type Loaded<T> = {
  readonly value: T | null;
  readonly error: string | null;
  /** Asking again cannot help: whoever asks may not have it. */
  readonly isRefused: boolean;
  readonly again: () => void;
};

type Held<T> = {
  readonly key: string;
  readonly value: T | null;
  readonly error: string | null;
  readonly isRefused: boolean;
};

const retryMs = 2_000;
/** An answer that takes longer is lost on its way, as after a sleep of the machine, and asked for again. */
const longestAnswerMs = 30_000;

/**
 * What `load` gives; afresh when `key` changes, again when `nudge` does. The last value stays while the next is awaited, and
 * where it cannot be had.
 */
export function useLoaded<T>(
  o: { readonly key: string; readonly nudge?: number },
  load: (signal: AbortSignal) => Promise<T>,
): Loaded<T> {
  const client = useClient();
  const [loaded, setLoaded] = useState<Held<T>>({ key: o.key, value: null, error: null, isRefused: false });
  const wake = useRef(() => {});
  const latest = useRef(load);
  latest.current = load;
  // `key` stands for what `load` depends on, `client` for whoever is signed in
  useEffect(() => {
    const ending = new AbortController();
    const { signal } = ending;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isLoading = false;
    let isAskedAgain = false;
    const again = async (): Promise<void> => {
      clearTimeout(timer);
      isAskedAgain = isLoading;
      if (isLoading) return;
      isLoading = true;
      let mayRetry = false;
      try {
        const value = await latest.current(AbortSignal.any([signal, AbortSignal.timeout(longestAnswerMs)]));
        if (signal.aborted) return;
        setLoaded((held) =>
          held.key === o.key && held.value === value && held.error === null
            ? held
            : { key: o.key, value, error: null, isRefused: false },
        );
      } catch (error) {
        if (signal.aborted) return;
        mayRetry = isPassing(error);
        const failure = errorText(error);
        const isRefused = error instanceof ApiProblem && error.status === 403;
        setLoaded((held) => ({ key: o.key, value: held.key === o.key ? held.value : null, error: failure, isRefused }));
      } finally {
        isLoading = false;
      }
      if (signal.aborted) return;
      if (isAskedAgain) void again();
      else if (mayRetry) timer = setTimeout(() => void again(), retryMs);
    };
    wake.current = () => void again();
    void again();
    return () => {
      ending.abort();
      clearTimeout(timer);
      wake.current = () => {};
    };
  }, [client, o.key]);
  const { nudge } = o;
  const heard = useRef(nudge);
  useEffect(() => {
    if (nudge === heard.current) return;
    heard.current = nudge;
    wake.current();
  }, [nudge]);
  const again = useCallback(() => wake.current(), []);
  return loaded.key === o.key ? { ...loaded, again } : { value: null, error: null, isRefused: false, again };
}

/** Whether anybody can see the page: a browser has six connections to a server, for all of its tabs. */
export function useVisible(): boolean {
  return useSyncExternalStore(
    (changed) => {
      document.addEventListener('visibilitychange', changed);
      return () => document.removeEventListener('visibilitychange', changed);
    },
    () => document.visibilityState === 'visible',
  );
}

/** @returns a number that grows, while anybody can see the page */
export function useTicks(everyMs: number): number {
  const isVisible = useVisible();
  const [ticks, setTicks] = useState(0);
  const wasHidden = useRef(false);
  useEffect(() => {
    if (!isVisible) {
      wasHidden.current = true;
      return undefined;
    }
    // Whoever comes back sees what is there now.
    if (wasHidden.current) setTicks((count) => count + 1);
    const timer = setInterval(() => setTicks((count) => count + 1), everyMs);
    return () => clearInterval(timer);
  }, [isVisible, everyMs]);
  return ticks;
}

/** Whatever comes in a burst is looked at once. */
const burstMs = 250;
const quietTypes = eventTypes.filter((type) => !type.endsWith('.output')).join(',');

/** @returns a number that grows with what happens to the runs in question; all of them without `runId` and `jobId` */
export function useRunEvents(
  o: { readonly runId?: string; readonly jobId?: string; readonly settleMs?: number },
  on: { readonly frame?: (frame: Frame) => void; readonly open?: () => void } = {},
): number {
  const client = useClient();
  const isVisible = useVisible();
  const [changes, setChanges] = useState(0);
  const taking = useRef(on);
  taking.current = on;
  const { runId, jobId, settleMs = burstMs } = o;
  useEffect(() => {
    if (!isVisible) return undefined;
    const ending = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ring = (): void => {
      timer ??= setTimeout(() => {
        timer = undefined;
        setChanges((count) => count + 1);
      }, settleMs);
    };
    const query = {
      types: quietTypes,
      ...(runId !== undefined && { run_id: runId }),
      ...(jobId !== undefined && { job_id: jobId }),
    };
    // Rung once it is open: of what happened before, or while nobody looked, it says nothing.
    const onOpen = (): void => {
      taking.current.open?.();
      ring();
    };
    void keepOpen(ending.signal, async (signal) => {
      for await (const frame of client.stream('streamRunEvents', { query, signal, onOpen })) {
        taking.current.frame?.(frame);
        ring();
      }
    });
    return () => {
      ending.abort();
      clearTimeout(timer);
    };
  }, [client, isVisible, runId, jobId, settleMs]);
  return changes;
}

/** Names the page in the browser's tab and history. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${harmless(title)} – flwd`;
  }, [title]);
}

/** Opens a stream again for as long as that may help. */
export async function keepOpen(signal: AbortSignal, read: (signal: AbortSignal) => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    try {
      if (await withStreamRoom(signal, read)) return;
    } catch (error) {
      if (signal.aborted || !isWorthOpeningAnew(error)) return;
    }
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
}
