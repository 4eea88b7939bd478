// Counts streams, and requests by operation. Requests are never counted by path.

import type { FastifyInstance } from 'fastify';
import type { Streams } from '../streams/streams.ts';
import { createCounter, createHistogram, type Family, single } from './families.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The id of the operation, or the path of a route that is not an operation. */
    readonly operation?: string;
    /** The address that a 401 names for metadata about the protected resource; null: the resource has no metadata. */
    readonly metadataUrl?: (request: FastifyRequest) => string | null;
  }
}

const boundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const statusClasses = ['', '1xx', '2xx', '3xx', '4xx', '5xx'];

/** Call this before routes are added. */
export function createHttpMetrics(app: FastifyInstance, streams: Streams): readonly Family[] {
  const requests = createCounter(
    'flwd_http_requests_total',
    'Requests answered, without those whose client left before the answer.',
    ['operation', 'method', 'status'],
  );
  const duration = createHistogram(
    'flwd_http_request_duration_seconds',
    'Time from a request to the end of its answer, without streams.',
    ['operation', 'method'],
    boundaries,
  );
  app.addHook('onResponse', (request, reply, done) => {
    const { operation = 'none' } = request.routeOptions.config;
    const { method } = request;
    requests.add([operation, method, statusClasses[Math.floor(reply.statusCode / 100)] ?? '']);
    if (!streams.isStream(request)) duration.observe([operation, method], reply.elapsedTime / 1000);
    done();
  });
  const { counts } = streams;
  return [
    requests.family,
    duration.family,
    single('gauge', 'flwd_sse_streams', 'Open streams of server-sent events.', () => counts.open),
    single('counter', 'flwd_sse_streams_opened_total', 'Streams of server-sent events opened.', () => counts.opened),
    single('counter', 'flwd_sse_events_sent_total', 'Server-sent events sent, over all streams.', () => counts.events),
    single(
      'counter',
      'flwd_slow_readers_disconnected_total',
      'Streams that were ended because their reader stopped reading for server.write_timeout.',
      () => counts.stalled,
    ),
  ];
}
