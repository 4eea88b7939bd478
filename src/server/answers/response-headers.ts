// What every answer bears, so that no browser takes it for what it is not: no guessing of types, no framing, no script,
// no use by other sites, no trace in caches.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { isLocalHost } from '../admission/local-names.ts';

export const safetyHeaders: readonly (readonly [name: string, value: string])[] = [
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
  ['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'"],
  ['X-Frame-Options', 'DENY'],
  // A page of a listed origin asks by CORS, which this does not concern.
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  // What has an ETag says otherwise.
  ['Cache-Control', 'no-store'],
];

/** A year. Not for `localhost`, or browsers would ask whatever else listens there for HTTPS too. */
const strictTransport = 'max-age=31536000';

export function setSafetyHeaders({ socket, headers: { host = '' } }: IncomingMessage, answer: ServerResponse): void {
  for (const [name, value] of safetyHeaders) answer.setHeader(name, value);
  if ('encrypted' in socket && !isLocalHost(host)) answer.setHeader('Strict-Transport-Security', strictTransport);
}

/** May be kept by who asked, and is asked for anew each time. */
export const revalidated = 'private, no-cache';
