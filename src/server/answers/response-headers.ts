// The headers that every answer has. They keep browsers from guessing its type, framing it, running scripts in it,
// letting other sites use it, and caching it (ADR 0044).

import type { IncomingMessage, ServerResponse } from 'node:http';
import { isLocalHost } from '../admission/local-names.ts';

export const safetyHeaders: readonly (readonly [name: string, value: string])[] = [
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
  ['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'"],
  ['X-Frame-Options', 'DENY'],
  // Pages of listed origins send CORS requests, which this header does not affect.
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  // Answers with an ETag override this header.
  ['Cache-Control', 'no-store'],
];

/**
 * One year. It is never sent for `localhost`, because browsers would then require HTTPS from all other servers there
 * too.
 */
const strictTransport = 'max-age=31536000';

export function setSafetyHeaders({ socket, headers: { host = '' } }: IncomingMessage, answer: ServerResponse): void {
  for (const [name, value] of safetyHeaders) answer.setHeader(name, value);
  if ('encrypted' in socket && !isLocalHost(host)) answer.setHeader('Strict-Transport-Security', strictTransport);
}

/** For answers with an ETag. The browser may cache them, but must revalidate them on each use. */
export const revalidated = 'private, no-cache';
