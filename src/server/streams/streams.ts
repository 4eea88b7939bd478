// Answers that are written piece by piece: server-sent events, logs as text, events line by line. One reader's pace
// never touches another's: each waits for its own socket, and one that stands still is disconnected.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { heartbeatMs } from '../../contract/routes.ts';
import type { Principal } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import type { Logger } from '../../lib/logger.ts';
import { counterKey } from '../limits/rate-limits.ts';
import { createWriteQueue } from './write-queue.ts';

export const eventStream = 'text/event-stream';

export type Outlet = {
  /** Aborted when the reader is gone or the server stops. */
  readonly signal: AbortSignal;
  /**
   * Resolves when the socket has taken all of it, so that a buffer can be used again, or when the reader is gone. The chunk
   * holds so many events; 1 without a number.
   */
  readonly write: (chunk: string | Buffer, events?: number) => Promise<void>;
};

export type Streams = {
  /** Sends what `pump` writes, and ends the answer when it returns. @throws Problem rate-limited */
  readonly send: (
    request: FastifyRequest,
    reply: FastifyReply,
    mediaType: string,
    pump: (outlet: Outlet) => Promise<void>,
  ) => FastifyReply;
  /** Whether a request was answered so. */
  readonly isStream: (request: FastifyRequest) => boolean;
  /** Of server-sent events, since the start; `stalled` of all: readers that were disconnected. */
  readonly counts: Readonly<StreamCounts>;
  /** Ends every open stream. */
  readonly close: () => void;
};

type StreamCounts = { open: number; opened: number; events: number; stalled: number };

const retryMs = 3_000;
/** How many may be open at once (ADR 0019). */
const most = { ofLocal: 1_000, ofOthers: 100, inAll: 2_000 };
const roomSeconds = 5;
/** What many streams at once may write without a turn of their own: lines as they come. */
const largeChunk = 32 * 1024;

export function createStreams(o: {
  readonly stallMs: number;
  readonly isStillValid: (principal: Principal) => Promise<boolean>;
  readonly log: Logger;
}): Streams {
  const stops = new Set<() => void>();
  const waitToWrite = createWriteQueue();
  const streamed = new WeakSet<FastifyRequest>();
  const counts: StreamCounts = { open: 0, opened: 0, events: 0, stalled: 0 };
  const openBy = new Map<string, number>();
  let isClosed = false;

  /** Who cannot be asked about is let in no longer. */
  async function mayGoOn({ principal, id }: FastifyRequest): Promise<boolean> {
    try {
      return await o.isStillValid(principal);
    } catch (error) {
      o.log.error({ err: error, request_id: id }, 'whether a stream may go on cannot be told');
      return false;
    }
  }

  function assertRoom(request: FastifyRequest): void {
    const { principal } = request;
    const ofOne = principal.kind === 'local' ? most.ofLocal : most.ofOthers;
    const isOwn = (openBy.get(counterKey(principal)) ?? 0) >= ofOne;
    if (!isOwn && stops.size < most.inAll) return;
    const whose = isOwn ? `${ofOne} streams of this caller` : `${most.inAll} streams`;
    throw new Problem('rate-limited', `${whose} are open, as many as may be at once.`, { retry_after: roomSeconds });
  }

  function countOpen(by: string, change: 1 | -1): void {
    const open = (openBy.get(by) ?? 0) + change;
    if (open > 0) openBy.set(by, open);
    else openBy.delete(by);
  }

  async function run(
    request: FastifyRequest,
    { raw }: FastifyReply,
    mediaType: string,
    pump: (outlet: Outlet) => Promise<void>,
  ): Promise<void> {
    const gone = new AbortController();
    /** Ends the wait of a write. */
    let goOn: (() => void) | undefined;
    const stop = (): void => {
      gone.abort();
      goOn?.();
    };
    const by = counterKey(request.principal);
    stops.add(stop);
    countOpen(by, 1);
    raw.on('close', stop).on('error', stop);
    // One that has hung up while its request was looked into says so no more.
    if (isClosed || raw.destroyed || raw.socket?.destroyed) stop();
    raw.on('timeout', () => {
      counts.stalled += 1;
      raw.destroy();
    });
    const isOfEvents = mediaType === eventStream;
    let isWaiting = false;

    /** A client takes a stream of events up where it ended; of anything else it must see that this is not all. */
    function endEarly(): void {
      if (isOfEvents && !isWaiting) stop();
      else if (!raw.writableEnded) raw.destroy();
    }

    async function write(chunk: string | Buffer, events = 1): Promise<void> {
      if (chunk.length === 0 || gone.signal.aborted) return;
      // Awaited only where there is something to wait for: the next stream must find the time of this write spent.
      const waiting = chunk.length >= largeChunk ? waitToWrite() : undefined;
      if (waiting) await waiting;
      if (gone.signal.aborted) return;
      if (isOfEvents) counts.events += events;
      isWaiting = true;
      // Node tells of a socket that this long wrote nothing, and starts anew while bytes still leave it.
      raw.setTimeout(o.stallMs);
      await new Promise<void>((resolve) => {
        goOn = resolve;
        raw.write(chunk, () => resolve());
      });
      raw.setTimeout(0);
      isWaiting = false;
    }

    raw.writeHead(200, {
      'Content-Type': mediaType,
      'X-Accel-Buffering': 'no',
    });
    raw.flushHeaders();
    if (isOfEvents) {
      counts.open += 1;
      counts.opened += 1;
      raw.write(`retry: ${retryMs}\n\n`);
    }
    // A comment on a quiet stream of events, and a look whether its reader may still read.
    const heartbeat = setInterval(() => {
      if (isOfEvents && !isWaiting && !gone.signal.aborted) raw.write(':\n\n');
      void mayGoOn(request).then((may) => may || endEarly());
    }, heartbeatMs);
    try {
      await pump({ signal: gone.signal, write });
      raw.end();
    } catch (error) {
      // The status is out already; a broken connection is the one way left to say that this is not all.
      o.log.error({ err: error, request_id: request.id }, 'a stream broke off');
      raw.destroy();
    } finally {
      if (isOfEvents) counts.open -= 1;
      clearInterval(heartbeat);
      stops.delete(stop);
      countOpen(by, -1);
    }
  }

  return {
    send(request, reply, mediaType, pump) {
      if (request.method === 'HEAD') return reply.type(mediaType).send('');
      assertRoom(request);
      streamed.add(request);
      reply.hijack();
      void run(request, reply, mediaType, pump);
      return reply;
    },
    isStream: (request) => streamed.has(request),
    counts,
    close() {
      isClosed = true;
      for (const stop of stops) stop();
    },
  };
}
