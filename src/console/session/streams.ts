// Follows the server's events. A stream that breaks is opened again. A stream is open only while the page is visible.

import { useEffect, useEffectEvent, useSyncExternalStore } from 'react';
import type { Client } from '../../client/client.ts';
import type { Frame } from '../../client/resuming-stream.ts';
import { keepOpen } from '../../client/retrying.ts';
import { eventTypes } from '../../domain/event.ts';
import { useClient } from './session.tsx';

const retryMs = 2_000;

/**
 * Whether the page is visible. A hidden page holds no stream, because all tabs of a browser share six connections to a
 * server.
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

/** Events that arrive within this time cause only one refresh. */
const burstMs = 250;
const quietTypes = eventTypes.filter((type) => !type.endsWith('.output')).join(',');

type Listeners = {
  /**
   * Called once for each burst of events. Also called after the stream has opened, because earlier events were missed.
   */
  readonly change?: () => void;
  readonly frame?: (frame: Frame) => void;
  readonly open?: () => void;
  /** Called when the stream has broken and could not be opened again at once. */
  readonly broken?: () => void;
};

/**
 * Follows the events of one run or of one job; without `runId` and `jobId`, of all runs. Components that follow the
 * same events share one stream.
 */
export function useRunEvents(
  o: { readonly runId?: string; readonly jobId?: string; readonly settleMs?: number },
  on: Listeners,
): void {
  const client = useClient();
  const isVisible = useVisible();
  const onChange = useEffectEvent(() => on.change?.());
  const onBroken = useEffectEvent(() => on.broken?.());
  const onOpen = useEffectEvent(() => on.open?.());
  const onFrame = useEffectEvent((frame: Frame) => on.frame?.(frame));
  const { runId, jobId, settleMs = burstMs } = o;
  useEffect(() => {
    if (!isVisible) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const noteChange = (): void => {
      timer ??= setTimeout(() => {
        timer = undefined;
        onChange();
      }, settleMs);
    };
    const leave = joinStream(client, runId, jobId, {
      open() {
        onOpen();
        noteChange();
      },
      frame(frame) {
        onFrame(frame);
        noteChange();
      },
      broken: () => onBroken(),
    });
    return () => {
      leave();
      clearTimeout(timer);
    };
  }, [client, isVisible, runId, jobId, settleMs]);
}

type Follower = {
  readonly open: () => void;
  readonly frame: (frame: Frame) => void;
  readonly broken: () => void;
};
type SharedStream = { readonly followers: Set<Follower>; readonly ending: AbortController; isOpen: boolean };

const streams = new Map<Client, Map<string, SharedStream>>();

/** Opens the stream for its first follower, and closes it when the last follower has left. */
function joinStream(
  client: Client,
  runId: string | undefined,
  jobId: string | undefined,
  follower: Follower,
): () => void {
  const known = streams.get(client) ?? new Map<string, SharedStream>();
  streams.set(client, known);
  const key = `${runId ?? ''} ${jobId ?? ''}`;
  const joined = known.get(key);
  const stream = joined ?? { followers: new Set(), ending: new AbortController(), isOpen: false };
  stream.followers.add(follower);
  if (stream.isOpen) follower.open();
  if (!joined) {
    known.set(key, stream);
    void readStream(client, stream, {
      types: quietTypes,
      ...(runId !== undefined && { run_id: runId }),
      ...(jobId !== undefined && { job_id: jobId }),
    });
  }
  return () => {
    stream.followers.delete(follower);
    if (stream.followers.size > 0) return;
    known.delete(key);
    if (known.size === 0) streams.delete(client);
    stream.ending.abort();
  };
}

async function readStream(
  client: Client,
  stream: SharedStream,
  query: { readonly types: string; readonly run_id?: string; readonly job_id?: string },
): Promise<void> {
  await keepStream(stream.ending.signal, async (signal) => {
    try {
      const onOpen = (): void => {
        stream.isOpen = true;
        for (const follower of stream.followers) follower.open();
      };
      const onBreak = (): void => {
        for (const follower of stream.followers) follower.broken();
      };
      for await (const frame of client.stream('streamRunEvents', { query, signal, onOpen, onBreak })) {
        for (const follower of stream.followers) follower.frame(frame);
      }
    } finally {
      stream.isOpen = false;
    }
  });
}

/** Keeps a stream open, as far as the browser's limit on connections allows. */
export async function keepStream(signal: AbortSignal, read: (signal: AbortSignal) => Promise<void>): Promise<void> {
  await keepOpen({ signal, retryMs }, () => withConnection(signal, read));
}

// Over HTTP/1.1, all windows of a browser share six connections to a server, and other requests need some of them. So
// streams may use four connections, and each of the four has a browser lock. A window that gets no lock opens its
// stream again and again, for only a second at a time.
const mostStreams = 4;
const momentMs = 1_000;

/** @returns whether the stream was read to its end; false: it was read for only a second */
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
