// One attempt to deliver a notification: a POST that follows no redirect and reads only the status and Retry-After.

import { packageVersion } from '../instance/version.ts';
import type { Clock } from '../lib/clock.ts';
import { errorCode } from '../lib/error-code.ts';
import { parseRetryAfterMs } from './backoff.ts';
import type { Signer } from './signing.ts';

export type Attempt =
  | { readonly isDelivered: true }
  | {
      readonly isDelivered: false;
      /** Describes the error without the address. */
      readonly error: string;
      readonly hasTimedOut: boolean;
      /** The receiver wants no more notifications. */
      readonly isFinal: boolean;
      readonly retryAfterMs: number | null;
    };

/** @throws only the reason of `signal`, once it is aborted */
export async function callWebhook(o: {
  readonly url: string;
  readonly id: string;
  readonly body: string;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}): Promise<Attempt> {
  const { id, body, clock, signal } = o;
  const timeout = AbortSignal.timeout(o.timeoutMs);
  let response: Response;
  try {
    response = await fetch(o.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': `flwd/${packageVersion()}`,
        ...o.signer.headers({ id, body, atMs: clock.now() }),
      },
      body,
      redirect: 'manual',
      signal: AbortSignal.any([signal, timeout]),
    });
  } catch (error) {
    signal.throwIfAborted();
    if (!timeout.aborted) return failed(unreachable(error));
    return { ...failed(`no answer within ${o.timeoutMs / 1000} s`), hasTimedOut: true };
  }
  // The body of the answer is of no use, and may be of any length.
  await response.body?.cancel().catch(() => undefined);
  const { status } = response;
  if (status >= 200 && status < 300) return { isDelivered: true };
  const redirected = status >= 300 && status < 400 ? ', and redirects are not followed' : '';
  return {
    ...failed(`the answer was ${status}${redirected}`),
    isFinal: status === 410,
    retryAfterMs: parseRetryAfterMs(response.headers.get('retry-after'), clock.now()),
  };
}

function failed(error: string) {
  return { isDelivered: false, error, hasTimedOut: false, isFinal: false, retryAfterMs: null } as const;
}

/** Only the code of the cause: its message may contain the address. */
function unreachable(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return `it cannot be reached (${errorCode(cause) ?? 'no connection'})`;
}
