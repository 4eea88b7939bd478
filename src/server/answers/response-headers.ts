// The headers that every answer has, so that browsers do not guess its type, frame it, run scripts in it, let other
// sites use it, or keep it in a cache (ADR 0044).

import type { IncomingMessage, ServerResponse } from 'node:http';
import { isLocalHost } from '../admission/local-names.ts';

export const safetyHeaders: readonly (readonly [name: string, value: string])[] = [
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
  ['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'"],
  ['X-Frame-Options', 'DENY'],
  // Does not affect CORS requests, which pages of listed origins use.
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  // Answers with an ETag override it.
  ['Cache-Control', 'no-store'],
];

/** One year. Never for `localhost`: browsers would then require HTTPS from all other servers there too. */
const strictTransport = 'max-age=31536000';

export function setSafetyHeaders({ socket, headers: { host = '' } }: IncomingMessage, answer: ServerResponse): void {
  for (const [name, value] of safetyHeaders) answer.setHeader(name, value);
  if ('encrypted' in socket && !isLocalHost(host)) answer.setHeader('Strict-Transport-Security', strictTransport);
}

/** For answers with an ETag: the browser may keep them, but must revalidate them on each use. */
export const revalidated = 'private, no-cache';
