// Sends a request to a collector, by OTLP over HTTP with protobuf.

import type { StoredText } from '../domain/notification.ts';
import { Problem } from '../domain/problem.ts';
import { openStoredText, type SecretOf } from '../engine/secrets/stored-text.ts';
import { answerWords, isHeaderValue, sendRequest } from '../lib/http/http-request.ts';
import { withoutEndSlash } from '../lib/http/http-url.ts';
import type { Signal } from '../store/exports.ts';

export type Sent =
  | { readonly kind: 'taken' }
  /** The collector would refuse the same items again. With `mayHalve`, it may accept fewer items. */
  | { readonly kind: 'refused'; readonly error: string; readonly mayHalve: boolean }
  | { readonly kind: 'later'; readonly error: string; readonly retryAfterMs: number };

export type Collector = {
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, StoredText>>;
};

/** The items are right, but the collector, or its configuration in flwd.yaml, is wrong at the moment. */
const passing = [401, 403, 404, 407, 408, 425, 429];
/** A single item, or the size of the request, may be the reason for these answers. */
const halved = [400, 413];

/**
 * @param body a request in OTLP; undefined if OpenTelemetry's serializer could not write it
 * @throws only the reason of `signal`, once it is aborted
 */
export async function sendToCollector(
  body: Uint8Array | undefined,
  o: {
    readonly kind: Signal;
    readonly collector: Collector;
    readonly secretOf: SecretOf;
    readonly userAgent: string;
    readonly nowMs: number;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  },
): Promise<Sent> {
  const { collector, nowMs, timeoutMs, signal } = o;
  if (!body) return { kind: 'refused', error: 'the request could not be written', mayHalve: false };
  const headers: Record<string, string> = {};
  for (const [name, text] of Object.entries(collector.headers)) {
    const value = await openHeader(text, o.secretOf);
    if (value === undefined) return later('a secret for its headers is not stored, or cannot be read');
    if (!isHeaderValue(value)) return later(`\`${name}\` has a character that a header cannot contain`);
    headers[name] = value;
  }
  const answer = await sendRequest({
    url: addressOf(collector.endpoint, o.kind),
    method: 'POST',
    headers: { 'user-agent': o.userAgent, ...headers, 'content-type': 'application/x-protobuf' },
    body: new Uint8Array(body),
    nowMs,
    timeoutMs,
    signal,
  });
  if (answer.kind === 'unreachable') return later(answer.error);
  const { status, retryAfterMs } = answer;
  if (status >= 200 && status < 300) return { kind: 'taken' };
  const error = answerWords(status);
  const isPassing = status >= 500 || status < 400 || passing.includes(status);
  if (isPassing) return later(error, retryAfterMs ?? 0);
  return { kind: 'refused', error, mayHalve: halved.includes(status) };
}

/**
 * Adds the path of the signal to the address of the collector, as the standard says. People may also configure the full
 * address of one signal.
 */
function addressOf(endpoint: string, kind: Signal): string {
  const url = new URL(endpoint);
  url.pathname = `${withoutEndSlash(url.pathname).replace(/\/v1\/(?:traces|logs)$/, '')}/v1/${kind}`;
  return url.href;
}

function later(error: string, retryAfterMs = 0): Sent {
  return { kind: 'later', error, retryAfterMs };
}

/** Returns undefined if the secret of the header is not stored, or if no key opens it. */
async function openHeader(text: StoredText, secretOf: SecretOf): Promise<string | undefined> {
  try {
    return await openStoredText(text, secretOf);
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}
