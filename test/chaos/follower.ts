// Follows the events of all runs over every restart, resumes with Last-Event-ID, and records what it received.

import { setTimeout as delay } from 'node:timers/promises';
import { type Frame, framesOf } from '../support/event-stream.ts';

export type SeenFrame = { readonly id: number; readonly event: string; readonly data: string; readonly runId: string };

export type Follower = {
  /** The frames in the order of arrival. */
  readonly seen: readonly SeenFrame[];
  /** Follows a server until it is gone or `signal` is aborted. */
  readonly follow: (url: string, signal: AbortSignal) => Promise<void>;
  /** Resolves when the frame with this id has arrived. */
  readonly reached: (id: number, url: string, timeoutMs: number) => Promise<void>;
};

const retryMs = 50;

export function createFollower(): Follower {
  const seen: SeenFrame[] = [];
  const lastId = (): number => seen.at(-1)?.id ?? 0;

  async function follow(url: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const headers = { 'last-event-id': String(lastId()) };
        for await (const frame of framesOf(await fetch(`${url}/api/v1/events/runs`, { headers, signal })))
          seen.push(toSeen(frame));
      } catch {
        // The server ended, or this reader was too slow. The next connection resumes.
      }
      await delay(retryMs);
    }
  }

  return {
    seen,
    follow,
    async reached(id, url, timeoutMs) {
      const stop = new AbortController();
      const following = follow(url, stop.signal);
      for (const sinceMs = performance.now(); lastId() < id && performance.now() - sinceMs < timeoutMs; )
        await delay(retryMs);
      stop.abort();
      await following;
    },
  };
}

/** All events up to this id, as a new client receives them. */
export async function replay(url: string, upToId: number, timeoutMs: number): Promise<SeenFrame[]> {
  const frames: SeenFrame[] = [];
  if (upToId === 0) return frames;
  const signal = AbortSignal.timeout(timeoutMs);
  // If the stream breaks off, events are missing, and an invariant finds that.
  try {
    const answer = await fetch(`${url}/api/v1/events/runs`, { headers: { 'last-event-id': '0' }, signal });
    for await (const frame of framesOf(answer)) {
      frames.push(toSeen(frame));
      if (Number(frame.id) >= upToId) break;
    }
  } catch {}
  return frames;
}

function toSeen({ id, event, data }: Frame): SeenFrame {
  return { id: Number(id), event: event ?? '', data: JSON.stringify(data), runId: data.run_id };
}
