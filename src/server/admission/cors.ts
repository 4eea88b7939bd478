// Pages of other origins that may call (the Fetch standard's CORS protocol): those of the list, letter by letter. Their
// browsers send no cookie and no ambient authority along; a page brings a token.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { isLocalOrigin } from './local-names.ts';

export type Cors = {
  readonly isListed: (origin: string) => boolean;
  /** What lets a listed page read the answer, whatever it is. */
  readonly setHeaders: (request: IncomingMessage, answer: ServerResponse) => void;
  /** Whether the browser of a listed page asks what it may send. */
  readonly isPreflight: (request: IncomingMessage) => boolean;
  /** @param methods those of the path */
  readonly setPreflightHeaders: (answer: ServerResponse, methods: readonly string[]) => void;
};

const sent = [
  'Accept',
  'Authorization',
  'Content-Type',
  'Idempotency-Key',
  'If-None-Match',
  'If-Range',
  'Last-Event-ID',
  'Range',
  'X-Flwd-Client',
  'X-Request-Id',
].join(', ');

const shown = [
  'Accept-Ranges',
  'Content-Disposition',
  'Content-Range',
  'ETag',
  'Idempotent-Replay',
  'Location',
  'Retry-After',
  'WWW-Authenticate',
  'X-RateLimit-Limit',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset',
  'X-Request-Id',
].join(', ');

const rememberedSeconds = 600;

export function createCors(o: { readonly origins: readonly string[]; readonly isDev: boolean }): Cors {
  const listed = new Set(o.origins);
  const isOff = listed.size === 0 && !o.isDev;
  const isListed = (origin: string): boolean => listed.has(origin) || (o.isDev && isLocalOrigin(origin));

  return {
    isListed,
    setHeaders({ headers: { origin } }, answer) {
      if (isOff) return;
      // Without an Origin too: a cache must not give that answer to a page.
      answer.setHeader('Vary', 'Origin');
      if (origin === undefined || !isListed(origin)) return;
      answer.setHeader('Access-Control-Allow-Origin', origin);
      answer.setHeader('Access-Control-Expose-Headers', shown);
    },
    isPreflight: ({ method, headers }) =>
      method === 'OPTIONS' &&
      headers['access-control-request-method'] !== undefined &&
      headers.origin !== undefined &&
      isListed(headers.origin),
    setPreflightHeaders(answer, methods) {
      answer.setHeader('Access-Control-Allow-Methods', methods.join(', '));
      answer.setHeader('Access-Control-Allow-Headers', sent);
      answer.setHeader('Access-Control-Max-Age', rememberedSeconds);
    },
  };
}
