// What happens at the server, as it happens: streams that are opened again after they broke, while anybody can see the page.

import { useEffect, useEffectEvent, useRef, useState, useSyncExternalStore } from 'react';
import type { Frame } from '../../client/resuming-stream.ts';
import { keepOpen } from '../../client/retrying.ts';
import { eventTypes } from '../../domain/event.ts';
import { useClient } from './session.tsx';

const retryMs = 2_000;

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
  const onOpen = useEffectEvent(() => on.open?.());
  const onFrame = useEffectEvent((frame: Frame) => on.frame?.(frame));
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
    const onOpened = (): void => {
      onOpen();
      ring();
    };
    void keepStream(ending.signal, async (signal) => {
      for await (const frame of client.stream('streamRunEvents', { query, signal, onOpen: onOpened })) {
        onFrame(frame);
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

/** Keeps a stream open, where there is room for it. */
export async function keepStream(signal: AbortSignal, read: (signal: AbortSignal) => Promise<void>): Promise<void> {
  await keepOpen({ signal, retryMs }, () => withStreamRoom(signal, read));
}

// The windows of a browser share six connections to a server over HTTP/1.1, and the calls need some. A stream for which there
// is no room is opened for a moment now and then.
const mostStreams = 4;
const momentMs = 1_000;

/** @returns whether it was read to its end, and not for a moment only */
async function withStreamRoom(signal: AbortSignal, read: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
  // Of what is not HTTPS, localhost alone has locks.
  if (!('locks' in navigator)) {
    await read(signal);
    return true;
  }
  for (let n = 1; n <= mostStreams; n++) {
    const hadRoom = await navigator.locks.request(`flwd.stream.${n}`, { ifAvailable: true }, async (lock) => {
      if (lock) await read(signal);
      return lock !== null;
    });
    if (hadRoom) return true;
  }
  return navigator.locks.request('flwd.stream.moment', { signal }, async () => {
    const moment = AbortSignal.timeout(momentMs);
    await read(AbortSignal.any([signal, moment]));
    return !moment.aborted;
  });
}
