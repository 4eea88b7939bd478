// One attempt to deliver a notification: a request that follows no redirect and reads only the status and Retry-After.

import { packageVersion } from '../instance/version.ts';
import type { Clock } from '../lib/clock.ts';
import { errorCode } from '../lib/error-code.ts';
import { parseRetryAfterMs } from './backoff.ts';
import type { ChannelRequest } from './channel/request.ts';
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
      /** The addresses that took the mail, which was refused for others. */
      readonly takenBy: readonly string[];
    };

/** @throws only the reason of `signal`, once it is aborted */
export async function callReceiver(o: {
  readonly id: string;
  readonly request: ChannelRequest;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}): Promise<Attempt> {
  const { id, clock, signal } = o;
  const { url, method, headers, body, isSigned } = o.request;
  const timeout = AbortSignal.timeout(o.timeoutMs);
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      headers: {
        'user-agent': `flwd/${packageVersion()}`,
        ...headers,
        ...(isSigned && o.signer.headers({ id, body: body ?? '', atMs: clock.now() })),
      },
      body,
      redirect: 'manual',
      signal: AbortSignal.any([signal, timeout]),
    });
  } catch (error) {
    signal.throwIfAborted();
    if (!timeout.aborted) return failedAttempt(unreachable(error));
    return { ...failedAttempt(`no answer within ${o.timeoutMs / 1000} s`), hasTimedOut: true };
  }
  // The body of the answer is of no use, and may be of any length.
  await response.body?.cancel().catch(() => undefined);
  const { status } = response;
  if (status >= 200 && status < 300) return { isDelivered: true };
  const redirected = status >= 300 && status < 400 ? ', and redirects are not followed' : '';
  return {
    ...failedAttempt(`the answer was ${status}${redirected}`),
    isFinal: status === 410,
    retryAfterMs: parseRetryAfterMs(response.headers.get('retry-after'), clock.now()),
  };
}

/** It is tried again. */
export function failedAttempt(error: string) {
  return { isDelivered: false, error, hasTimedOut: false, isFinal: false, retryAfterMs: null, takenBy: [] } as const;
}

/** Only the code of the cause: its message may contain the address. */
function unreachable(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return `it cannot be reached (${errorCode(cause) ?? 'no connection'})`;
}
