// One attempt to deliver a notification by HTTP.

import { forbiddenWords } from '../domain/notification.ts';
import { packageVersion } from '../instance/version.ts';
import type { Clock } from '../lib/clock.ts';
import { answerWords, type MayReach, sendRequest } from '../lib/http/http-request.ts';
import type { ChannelRequest } from './channel/request.ts';
import type { Signer } from './signing.ts';

export type Attempt =
  | { readonly isDelivered: true }
  | {
      readonly isDelivered: false;
      /** The error in words, without the address of the receiver. */
      readonly error: string;
      readonly hasTimedOut: boolean;
      /** The receiver wants no more notifications. */
      readonly isFinal: boolean;
      readonly retryAfterMs: number | null;
      /** The addresses for which the mail was accepted, if it was refused for others. Otherwise empty. */
      readonly takenBy: readonly string[];
    };

/** @throws the reason of `signal` once it is aborted, and nothing else */
export async function callReceiver(o: {
  readonly id: string;
  readonly request: ChannelRequest;
  /** Decides which addresses may be called; by default, all of them. */
  readonly mayReach?: MayReach | undefined;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}): Promise<Attempt> {
  const { id, clock, signal } = o;
  const { url, method, headers, body, isSigned } = o.request;
  const answer = await sendRequest({
    url,
    method,
    headers: {
      'user-agent': `flwd/${packageVersion()}`,
      ...headers,
      ...(isSigned && o.signer.headers({ id, body: body ?? '', atMs: clock.now() })),
    },
    body,
    mayReach: o.mayReach,
    nowMs: clock.now(),
    timeoutMs: o.timeoutMs,
    signal,
  });
  if (answer.kind === 'unreachable') {
    const { error, hasTimedOut, isForbidden } = answer;
    if (isForbidden) return { ...failedAttempt(forbiddenWords), isFinal: true };
    return { ...failedAttempt(error), hasTimedOut };
  }
  const { status, retryAfterMs } = answer;
  if (status >= 200 && status < 300) return { isDelivered: true };
  return { ...failedAttempt(answerWords(status)), isFinal: status === 410, retryAfterMs };
}

/** A failed attempt that will be repeated. */
export function failedAttempt(error: string) {
  return { isDelivered: false, error, hasTimedOut: false, isFinal: false, retryAfterMs: null, takenBy: [] } as const;
}
