// Answers that are written piece by piece: server-sent events, logs as text, and JSON lines. Each stream waits only for
// its own reader, so a slow reader delays nobody else. A reader that stops reading is disconnected.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { heartbeatMs } from '../../contract/routes.ts';
import type { Principal } from '../../domain/principal.ts';
import type { Logger } from '../../lib/logger.ts';
import { type OpenStream, openStream, type StreamCounts, type StreamWriter } from './open-stream.ts';
import { createStreamLimit } from './stream-limit.ts';
import { createWriteQueue } from './write-queue.ts';

export const eventStream = 'text/event-stream';

export type Streams = {
  /**
   * Sends what `pump` writes, and ends the answer when `pump` returns.
   * @param onEnd called when the stream has ended, if the caller has counted the stream with `enter`
   * @throws Problem rate-limited
   */
  readonly send: (
    request: FastifyRequest,
    reply: FastifyReply,
    mediaType: string,
    pump: (writer: StreamWriter) => Promise<void>,
    onEnd?: () => void,
  ) => FastifyReply;
  /**
   * Counts an answer that may become a stream.
   * @returns a function that counts it as ended
   * @throws Problem rate-limited
   */
  readonly enter: (principal: Principal) => () => void;
  /** Whether the request was answered with a stream. */
  readonly isStream: (request: FastifyRequest) => boolean;
  readonly counts: Readonly<StreamCounts>;
  /** Ends every open stream. */
  readonly close: () => void;
};

export function createStreams(o: {
  readonly stallMs: number;
  readonly isStillValid: (principal: Principal) => Promise<boolean>;
  readonly log: Logger;
}): Streams {
  const openStreams = new Set<OpenStream>();
  const limit = createStreamLimit();
  const waitToWrite = createWriteQueue();
  const streamed = new WeakSet<FastifyRequest>();
  const counts: StreamCounts = { open: 0, opened: 0, events: 0, stalled: 0 };
  let isClosed = false;

  /** Whether the caller may go on reading. If the credential of the caller cannot be checked, the caller may not. */
  async function isStillAllowed({ principal, id }: FastifyRequest): Promise<boolean> {
    try {
      return await o.isStillValid(principal);
    } catch (error) {
      o.log.error({ err: error, request_id: id }, 'cannot check whether a stream may go on; the stream is ended');
      return false;
    }
  }

  async function run(
    request: FastifyRequest,
    { raw }: FastifyReply,
    mediaType: string,
    pump: (writer: StreamWriter) => Promise<void>,
  ): Promise<void> {
    const isOfEvents = mediaType === eventStream;
    const stream = openStream(raw, { isOfEvents, stallMs: o.stallMs, waitToWrite, counts });
    openStreams.add(stream);
    if (isClosed) stream.stop();
    stream.begin(mediaType);
    if (isOfEvents) {
      counts.open += 1;
      counts.opened += 1;
    }
    const heartbeat = setInterval(() => {
      stream.beat();
      void isStillAllowed(request).then((isAllowed) => isAllowed || stream.endEarly());
    }, heartbeatMs);
    try {
      await pump(stream);
      // A client resumes a stream of events where it ended. Any other answer that ends looks complete to the client.
      if (isOfEvents || !stream.signal.aborted) raw.end();
      else raw.destroy();
    } catch (error) {
      // The status has already been sent. Only a broken connection can still show the reader that something is missing.
      o.log.error({ err: error, request_id: request.id }, 'a stream broke off');
      raw.destroy();
    } finally {
      if (isOfEvents) counts.open -= 1;
      clearInterval(heartbeat);
      openStreams.delete(stream);
    }
  }

  return {
    enter: limit.enter,
    send(request, reply, mediaType, pump, onEnd) {
      if (request.method === 'HEAD') return reply.type(mediaType).send('');
      const leave = onEnd ?? limit.enter(request.principal);
      streamed.add(request);
      reply.hijack();
      void run(request, reply, mediaType, pump).finally(leave);
      return reply;
    },
    isStream: (request) => streamed.has(request),
    counts,
    close() {
      isClosed = true;
      for (const stream of openStreams) stream.stop();
    },
  };
}
