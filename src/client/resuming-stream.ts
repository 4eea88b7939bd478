// Server-sent events over connections that may break: each new one resumes after the last id, so nothing is lost or
// doubled.

import { heartbeatMs } from '../contract/routes.ts';
import { ApiProblem, ServerUnreachable } from './api-problem.ts';
import { isPassing } from './error-words.ts';
import { createSseParser, type ServerSentEvent } from './sse-parser.ts';

export type Frame = {
  /** Resumes after this frame; empty where the stream gave none yet. */
  readonly id: string;
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
};

export type ResumingStream = AsyncIterable<Frame>;

const firstDelayMs = 250;
const longestDelayMs = 5_000;
/** A server writes now and then even if nothing happens: one that is not heard of for so long is not there any more. */
const longestSilenceMs = 3 * heartbeatMs;

/**
 * Ends after `lastEvent`, or when the signal is aborted. A server that stops closes its streams too, so a closed stream alone
 * says nothing about the run.
 */
export async function* streamEvents(o: {
  readonly open: (headers: Readonly<Record<string, string>>, signal: AbortSignal) => Promise<Pick<Response, 'body'>>;
  readonly signal: AbortSignal | undefined;
  /** What comes last where the stream is of one run. */
  readonly lastEvent: string | undefined;
  /** Whether the run has ended. Asked where the last event may not be among those that were asked for. */
  readonly hasEnded?: (signal: AbortSignal) => Promise<boolean>;
  /** The server has taken it up, at first and each time again: what happens from here on will be said. */
  readonly onOpen: (() => void) | undefined;
  /** It broke off, and the first try to resume it failed. */
  readonly onBreak: ((error: Error) => void) | undefined;
  readonly silenceMs?: number;
}): AsyncGenerator<Frame, void> {
  let lastId = '';
  let hasOpened = false;
  let delayMs = firstDelayMs;
  let isBroken = false;
  /** The run is known to have ended: a stream that is opened from now on and brings nothing has nothing left to bring. */
  let isOver = false;
  while (!o.signal?.aborted) {
    let isEmpty = true;
    const timeout = createSilenceTimeout(o.signal, o.silenceMs ?? longestSilenceMs);
    try {
      const response = await timeout.with(o.open(lastId === '' ? {} : { 'last-event-id': lastId }, timeout.signal));
      hasOpened = true;
      isBroken = false;
      o.onOpen?.();
      for await (const event of eventsOf(response, timeout)) {
        isEmpty = false;
        const data: Frame['data'] = JSON.parse(event.data);
        lastId = event.id;
        delayMs = firstDelayMs;
        yield { ...event, data };
        if (event.event === o.lastEvent) return;
      }
      if (isEmpty && isOver) return;
      isOver = isEmpty && o.hasEnded !== undefined && (await timeout.with(o.hasEnded(timeout.signal)));
    } catch (error) {
      if (o.signal?.aborted) return;
      // A first answer that is none is the caller's to know; later, only what another try cannot fix.
      if (!hasOpened || !isPassing(error)) throw error;
      if (!isBroken && (error instanceof ApiProblem || error instanceof ServerUnreachable)) {
        isBroken = true;
        o.onBreak?.(error);
      }
    }
    await pause(delayMs * (0.5 + Math.random() / 2), o.signal);
    delayMs = Math.min(delayMs * 2, longestDelayMs);
  }
}

type SilenceTimeout = {
  /** The caller's, and aborted when it is over. */
  readonly signal: AbortSignal;
  /** It lasts anew for each that is waited for, and is not tried in between: a reader may take its time. */
  readonly with: <T>(awaited: Promise<T>) => Promise<T>;
};

function createSilenceTimeout(signal: AbortSignal | undefined, ms: number): SilenceTimeout {
  const silence = new AbortController();
  const giveUp = (): void => silence.abort(new DOMException('Nothing was heard of the server.', 'TimeoutError'));
  return {
    signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal,
    async with(awaited) {
      const timer = setTimeout(giveUp, ms);
      return awaited.finally(() => clearTimeout(timer));
    },
  };
}

async function* eventsOf(
  { body }: Pick<Response, 'body'>,
  timeout: SilenceTimeout,
): AsyncGenerator<ServerSentEvent, void> {
  if (!body) return;
  const parse = createSseParser();
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await timeout.with(reader.read());
      if (done) return;
      yield* parse(value);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}
