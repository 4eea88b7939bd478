// One request to another service: it follows no redirect, and reads only the status and Retry-After of the answer.

import { errorCode } from './error-code.ts';

type HttpAnswer =
  | { readonly kind: 'answered'; readonly status: number; readonly retryAfterMs: number | null }
  /** `error` describes it without the address. */
  | { readonly kind: 'unreachable'; readonly error: string; readonly hasTimedOut: boolean };

/** @throws only the reason of `signal`, once it is aborted */
export async function sendRequest(o: {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array<ArrayBuffer> | null;
  readonly nowMs: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}): Promise<HttpAnswer> {
  const { url, method, headers, body, signal } = o;
  const timeout = AbortSignal.timeout(o.timeoutMs);
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      headers,
      body,
      redirect: 'manual',
      signal: AbortSignal.any([signal, timeout]),
    });
  } catch (error) {
    signal.throwIfAborted();
    if (!timeout.aborted) return { kind: 'unreachable', error: unreachable(error), hasTimedOut: false };
    return { kind: 'unreachable', error: `no answer within ${o.timeoutMs / 1000} s`, hasTimedOut: true };
  }
  // The body of the answer is of no use, and may be of any length.
  await response.body?.cancel().catch(() => undefined);
  const retryAfterMs = parseRetryAfterMs(response.headers.get('retry-after'), o.nowMs);
  return { kind: 'answered', status: response.status, retryAfterMs };
}

/** Whether a header can have this value. The error of `fetch` would repeat the value. */
export function isHeaderValue(text: string): boolean {
  return /^[\t\u0020-\u007e\u0080-\u00ff]*$/.test(text);
}

/** Such as `the answer was 302, and redirects are not followed`. */
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

/** Only the code of the cause: its message may contain the address. */
function unreachable(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return `it cannot be reached (${errorCode(cause) ?? 'no connection'})`;
}
