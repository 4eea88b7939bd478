// Sends one request to another service. Follows no redirect, and reads only the status and Retry-After of the answer.

import { lookup } from 'node:dns';
import type { IncomingMessage } from 'node:http';
import { isIP, type LookupFunction } from 'node:net';
import { errorCode } from '../error-code.ts';

type HttpAnswer =
  | { readonly kind: 'answered'; readonly status: number; readonly retryAfterMs: number | null }
  | {
      readonly kind: 'unreachable';
      /** Describes the failure without the address. */
      readonly error: string;
      readonly hasTimedOut: boolean;
      /** True if `mayReach` does not allow the address. */
      readonly isForbidden: boolean;
    };

/** Whether a request to `host` may connect to `address`, which is an address of that host. */
export type MayReach = (host: string, address: string) => boolean;

/** @throws the reason of `signal` once it is aborted, and nothing else */
export async function sendRequest(o: {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array<ArrayBuffer> | null;
  /** By default, every address is allowed. */
  readonly mayReach?: MayReach | undefined;
  readonly nowMs: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}): Promise<HttpAnswer> {
  const { signal } = o;
  const timeout = AbortSignal.timeout(o.timeoutMs);
  let response: IncomingMessage;
  try {
    response = await responseTo(o, AbortSignal.any([signal, timeout]));
  } catch (error) {
    signal.throwIfAborted();
    const hasTimedOut = timeout.aborted;
    const words = hasTimedOut ? `no answer within ${o.timeoutMs / 1000} s` : unreachable(error);
    return { kind: 'unreachable', error: words, hasTimedOut, isForbidden: error instanceof ForbiddenAddress };
  }
  // Nobody needs the body of the answer, which may be of any length.
  response.destroy();
  const retryAfterMs = parseRetryAfterMs(response.headers['retry-after'] ?? null, o.nowMs);
  return { kind: 'answered', status: response.statusCode ?? 0, retryAfterMs };
}

class ForbiddenAddress extends Error {}

function responseTo(
  { url, method, headers, body, mayReach }: Parameters<typeof sendRequest>[0],
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { protocol, hostname } = new URL(url);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  // No open connection is used again, because it may belong to a request whose address was not checked.
  const guarded = mayReach && { agent: false, autoSelectFamily: true, lookup: checkedLookup(mayReach) };
  return new Promise((resolve, reject) => {
    // An IP address is not looked up, so it is checked here.
    if (mayReach && isIP(host) !== 0 && !mayReach(host, host)) throw new ForbiddenAddress();
    const { request } = process.getBuiltinModule(protocol === 'https:' ? 'node:https' : 'node:http');
    const sent = request(url, { method, headers, signal, ...guarded }, resolve);
    sent.on('error', reject);
    sent.on('upgrade', (_response, socket) => socket.destroy());
    // If the answer changes the protocol, Node emits only this event, and no error.
    sent.on('close', () => reject(new Error('the connection was closed')));
    sent.end(body ?? undefined);
  });
}

/**
 * Looks a name up and checks its addresses. The connection then uses these addresses, so the name cannot lead elsewhere
 * in between.
 */
function checkedLookup(mayReach: MayReach): LookupFunction {
  return (host, options, callback) => {
    lookup(host, { ...options, all: true }, (error, found) => {
      if (error) callback(error, []);
      else if (found.every(({ address }) => mayReach(host, address))) callback(null, found);
      else callback(new ForbiddenAddress(), []);
    });
  };
}

/** Whether a header can have this value. */
export function isHeaderValue(text: string): boolean {
  return /^[\t\u0020-\u007e\u0080-\u00ff]*$/.test(text);
}

/** Says, for example, `the answer was 302, and redirects are not followed`. */
export function answerWords(status: number): string {
  const redirected = status >= 300 && status < 400 ? ', and redirects are not followed' : '';
  return `the answer was ${status}${redirected}`;
}

/** Reads seconds or a date (RFC 9110, 10.2.3); null when it is neither. */
function parseRetryAfterMs(value: string | null, nowMs: number): number | null {
  if (value === null) return null;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs);
}

/**
 * Says why the address cannot be reached. Shows only the code of the error, because its message may contain the
 * address.
 */
function unreachable(error: unknown): string {
  return `it cannot be reached (${errorCode(error) ?? 'no connection'})`;
}
