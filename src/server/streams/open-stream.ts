// One open stream. It writes to the socket of its reader, and notices when the reader has gone or has stopped reading.

import type { ServerResponse } from 'node:http';

/** Counts since the start of the server. All except `stalled` count only server-sent events. */
export type StreamCounts = {
  open: number;
  opened: number;
  events: number;
  /** How many streams of any kind were disconnected because their reader had stopped reading. */
  stalled: number;
};

export type StreamWriter = {
  /** Aborted when the reader is gone or the server stops. */
  readonly signal: AbortSignal;
  /**
   * Resolves when the socket has accepted the whole chunk, so that its buffer can be used again. Also resolves when the
   * reader is gone. `events` is the number of events in the chunk, by default 1.
   */
  readonly write: (chunk: string | Buffer, events?: number) => Promise<void>;
};

export type OpenStream = StreamWriter & {
  /** Sends the head of the answer. */
  readonly begin: (mediaType: string) => void;
  /** Sends a comment on a quiet stream of events, so that nobody takes the connection for a dead one. */
  readonly beat: () => void;
  /** Aborts the signal, and lets a waiting write return. */
  readonly stop: () => void;
  /** Ends the stream although there is more to send. */
  readonly endEarly: () => void;
};

/** How long a browser waits before it reconnects. */
const retryMs = 3_000;
/** Smaller chunks, such as single lines, do not wait for other streams. */
const largeChunkBytes = 32 * 1024;

export function openStream(
  raw: ServerResponse,
  o: {
    readonly isOfEvents: boolean;
    readonly stallMs: number;
    readonly waitToWrite: () => Promise<void> | undefined;
    readonly counts: StreamCounts;
  },
): OpenStream {
  const gone = new AbortController();
  let isWriting = false;
  let endWrite: (() => void) | undefined;

  function stop(): void {
    gone.abort();
    endWrite?.();
  }

  raw.on('close', stop).on('error', stop);
  // If the reader has hung up before this moment, there is no event for it any more.
  if (raw.destroyed || raw.socket?.destroyed) stop();
  raw.on('timeout', () => {
    o.counts.stalled += 1;
    raw.destroy();
  });

  return {
    signal: gone.signal,

    async write(chunk, events = 1) {
      if (chunk.length === 0 || gone.signal.aborted) return;
      // The result is awaited only if there is something to wait for. Even an `await` of undefined would let other
      // streams ask the queue before this write has begun. Then the queue would not count the time of this write.
      const waiting = chunk.length >= largeChunkBytes ? o.waitToWrite() : undefined;
      if (waiting) await waiting;
      if (gone.signal.aborted) return;
      if (o.isOfEvents) o.counts.events += events;
      isWriting = true;
      // Node emits `timeout` when nothing has been written for this long. The time starts again whenever bytes are
      // sent.
      raw.setTimeout(o.stallMs);
      await new Promise<void>((resolve) => {
        endWrite = resolve;
        raw.write(chunk, () => resolve());
      });
      raw.setTimeout(0);
      isWriting = false;
    },

    begin(mediaType) {
      raw.writeHead(200, { 'Content-Type': mediaType, 'X-Accel-Buffering': 'no' });
      raw.flushHeaders();
      if (o.isOfEvents) raw.write(`retry: ${retryMs}\n\n`);
    },

    beat() {
      if (o.isOfEvents && !isWriting && !gone.signal.aborted) raw.write(':\n\n');
    },

    stop,

    endEarly() {
      // A client resumes a stream of events where it ended. With any other media type, the client must notice that
      // something is missing.
      if (o.isOfEvents && !isWriting) stop();
      else if (!raw.writableEnded) raw.destroy();
    },
  };
}
