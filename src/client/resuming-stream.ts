// Server-sent events over connections that may break. Each new connection resumes after the last id, so no event is
// lost or repeated.

import { createParser } from 'eventsource-parser';
import { heartbeatMs } from '../contract/routes.ts';
import { ApiProblem, ServerUnreachable } from './api-problem.ts';
import { isPassing } from './error-words.ts';

export type Frame = {
  /** The id after which the stream can resume; empty before the first event with an id. */
  readonly id: string;
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
};

export type ResumingStream = AsyncIterable<Frame>;

const firstDelayMs = 250;
const longestDelayMs = 5_000;
/**
 * A server sends something regularly even if nothing happens. If it sends nothing for this long, the connection counts
 * as broken.
 */
const longestSilenceMs = 3 * heartbeatMs;

/**
 * Ends after `lastEvent` or when the signal is aborted. It does not end when the server closes the connection, because
 * a server that stops closes all its streams.
 */
export async function* streamEvents(o: {
  readonly open: (headers: Readonly<Record<string, string>>, signal: AbortSignal) => Promise<Pick<Response, 'body'>>;
  readonly signal: AbortSignal | undefined;
  /** The last event of a stream about one run. */
  readonly lastEvent: string | undefined;
  /** Asks whether the run has ended. Needed if the stream may lack the last event. */
  readonly hasEnded?: (signal: AbortSignal) => Promise<boolean>;
  /**
   * Called when the server accepts the stream, for the first time or again. From then on it sends everything that
   * happens.
   */
  readonly onOpen: (() => void) | undefined;
  /** Called when the stream has broken and the first attempt to resume it has failed. */
  readonly onBreak: ((error: Error) => void) | undefined;
  readonly silenceMs?: number;
}): AsyncGenerator<Frame, void> {
  let lastId = '';
  let hasOpened = false;
  let delayMs = firstDelayMs;
  let isBroken = false;
  /** The run has ended. If a new connection then brings no event, there are no more events. */
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
        lastId = event.id ?? lastId;
        // An id without data is not an event. It only changes the place at which the stream resumes.
        if (event.data === undefined) continue;
        isEmpty = false;
        const data: Frame['data'] = JSON.parse(event.data);
        delayMs = firstDelayMs;
        yield { id: lastId, event: event.event ?? 'message', data };
        if (event.event === o.lastEvent) return;
      }
      if (isEmpty && isOver) return;
      isOver = isEmpty && o.hasEnded !== undefined && (await timeout.with(o.hasEnded(timeout.signal)));
    } catch (error) {
      if (o.signal?.aborted) return;
      // If the first connection fails, the caller gets the error. Later, it gets only errors that another attempt
      // cannot fix.
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
  /** A signal that is aborted by the caller's signal or by the timeout. */
  readonly signal: AbortSignal;
  /**
   * Starts the timeout again for each awaited promise. The timeout does not run in between, so a reader may be slow.
   */
  readonly with: <T>(awaited: Promise<T>) => Promise<T>;
};

function createSilenceTimeout(signal: AbortSignal | undefined, ms: number): SilenceTimeout {
  const silence = new AbortController();
  const giveUp = (): void =>
    silence.abort(new DOMException('The server has been silent for too long.', 'TimeoutError'));
  return {
    signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal,
    async with(awaited) {
      const timer = setTimeout(giveUp, ms);
      return awaited.finally(() => clearTimeout(timer));
    },
  };
}

type Parsed = { readonly id?: string | undefined; readonly event?: string | undefined; readonly data?: string };

async function* eventsOf({ body }: Pick<Response, 'body'>, timeout: SilenceTimeout): AsyncGenerator<Parsed, void> {
  if (!body) return;
  const events: Parsed[] = [];
  const parser = createParser({ onId: (id) => events.push({ id }), onEvent: (event) => events.push(event) });
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await timeout.with(reader.read());
      if (done) return;
      parser.feed(value);
      yield* events.splice(0);
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
