// Follows the server's events. A stream that breaks is opened again, and is open only while the page is visible.

import { useEffect, useEffectEvent, useSyncExternalStore } from 'react';
import type { Frame } from '../../client/resuming-stream.ts';
import { keepOpen } from '../../client/retrying.ts';
import { eventTypes } from '../../domain/event.ts';
import { useClient } from './session.tsx';

const retryMs = 2_000;

/**
 * Whether the page is visible. A hidden one holds no stream: all tabs of a browser share six connections to a server.
 */
export function useVisible(): boolean {
  return useSyncExternalStore(
    (changed) => {
      document.addEventListener('visibilitychange', changed);
      return () => document.removeEventListener('visibilitychange', changed);
    },
    () => document.visibilityState === 'visible',
  );
}

/** Events of one burst cause one refresh. */
const burstMs = 250;
const quietTypes = eventTypes.filter((type) => !type.endsWith('.output')).join(',');

type Listeners = {
  /** Called once for each burst of events, and once after the stream has opened: events before that were missed. */
  readonly change: () => void;
  readonly frame?: (frame: Frame) => void;
  readonly open?: () => void;
};

/** Follows the events of one run or of one job; without `runId` and `jobId`, of all runs. */
export function useRunEvents(
  o: { readonly runId?: string; readonly jobId?: string; readonly settleMs?: number },
  on: Listeners,
): void {
  const client = useClient();
  const isVisible = useVisible();
  const onChange = useEffectEvent(() => on.change());
  const onOpen = useEffectEvent(() => on.open?.());
  const onFrame = useEffectEvent((frame: Frame) => on.frame?.(frame));
  const { runId, jobId, settleMs = burstMs } = o;
  useEffect(() => {
    if (!isVisible) return undefined;
    const ending = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const noteChange = (): void => {
      timer ??= setTimeout(() => {
        timer = undefined;
        onChange();
      }, settleMs);
    };
    const query = {
      types: quietTypes,
      ...(runId !== undefined && { run_id: runId }),
      ...(jobId !== undefined && { job_id: jobId }),
    };
    const onOpened = (): void => {
      onOpen();
      noteChange();
    };
    void keepStream(ending.signal, async (signal) => {
      for await (const frame of client.stream('streamRunEvents', { query, signal, onOpen: onOpened })) {
        onFrame(frame);
        noteChange();
      }
    });
    return () => {
      ending.abort();
      clearTimeout(timer);
    };
  }, [client, isVisible, runId, jobId, settleMs]);
}

/** Keeps a stream open, as far as the browser's connections allow. */
export async function keepStream(signal: AbortSignal, read: (signal: AbortSignal) => Promise<void>): Promise<void> {
  await keepOpen({ signal, retryMs }, () => withConnection(signal, read));
}

// Over HTTP/1.1 all windows of a browser share six connections to a server, and requests need some of them. Four locks
// of the browser stand for the connections that streams may use. A window that gets no lock opens its stream for a
// second now and then.
const mostStreams = 4;
const momentMs = 1_000;

/** @returns whether the stream was read to its end, and not only for a second */
async function withConnection(signal: AbortSignal, read: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
  // Over plain HTTP a browser offers locks on localhost only.
  if (!('locks' in navigator)) {
    await read(signal);
    return true;
  }
  for (let n = 1; n <= mostStreams; n++) {
    const hadLock = await navigator.locks.request(`flwd.stream.${n}`, { ifAvailable: true }, async (lock) => {
      if (lock) await read(signal);
      return lock !== null;
    });
    if (hadLock) return true;
  }
  return navigator.locks.request('flwd.stream.moment', { signal }, async () => {
    const moment = AbortSignal.timeout(momentMs);
    await read(AbortSignal.any([signal, moment]));
    return !moment.aborted;
  });
}
