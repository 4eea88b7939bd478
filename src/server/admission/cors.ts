// CORS: lets pages of the listed origins call the API and read the answers. An origin must match the list exactly.
// There are no cookies, so a page has to send a token (ADR 0044).

import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerHeaders } from '../../contract/answer-headers.ts';
import { isLocalOrigin } from './local-names.ts';

export type Cors = {
  readonly isListed: (origin: string) => boolean;
  /** Lets a page of a listed origin read the answer, even if it is an error. */
  readonly setHeaders: (request: IncomingMessage, answer: ServerResponse) => void;
  /** Whether this is the preflight of a page of a listed origin. */
  readonly isPreflight: (request: IncomingMessage) => boolean;
  /** @param methods the methods that the path has */
  readonly setPreflightHeaders: (answer: ServerResponse, methods: readonly string[]) => void;
};

const requestHeaders = [
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

const exposedHeaders = Object.keys(answerHeaders).join(', ');

const maxAgeSeconds = 600;

export function createCors(o: { readonly origins: readonly string[]; readonly isDev: boolean }): Cors {
  const listed = new Set(o.origins);
  const isOff = listed.size === 0 && !o.isDev;
  const isListed = (origin: string): boolean => listed.has(origin) || (o.isDev && isLocalOrigin(origin));

  return {
    isListed,
    setHeaders({ headers: { origin } }, answer) {
      if (isOff) return;
      // The header is set even for a request without an Origin. Otherwise a cache could give this answer, which lacks
      // the headers below, to a page of a listed origin.
      answer.setHeader('Vary', 'Origin');
      if (origin === undefined || !isListed(origin)) return;
      answer.setHeader('Access-Control-Allow-Origin', origin);
      answer.setHeader('Access-Control-Expose-Headers', exposedHeaders);
    },
    isPreflight: ({ method, headers }) =>
      method === 'OPTIONS' &&
      headers['access-control-request-method'] !== undefined &&
      headers.origin !== undefined &&
      isListed(headers.origin),
    setPreflightHeaders(answer, methods) {
      answer.setHeader('Access-Control-Allow-Methods', methods.join(', '));
      answer.setHeader('Access-Control-Allow-Headers', requestHeaders);
      answer.setHeader('Access-Control-Max-Age', maxAgeSeconds);
    },
  };
}
