// Sends HTTP requests without Node's `fetch`. Requests to flwd's own server on this machine do not need `fetch`, which
// takes 40 ms and 12 MB to load. For remote servers with a private CA, `fetch` cannot be used. Errors look like those
// of `fetch`. Redirects and compressed answers are not supported, because flwd never sends them.

import type { TLSSocket } from 'node:tls';

type Incoming = import('node:http').IncomingMessage;

type Init = {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
  readonly signal?: AbortSignal;
};
/** The part of Response that callers use. */
type Answer = Pick<Response, 'ok' | 'status' | 'body' | 'text'> & { readonly headers: Pick<Headers, 'get'> };

/** How long a server may send nothing. `fetch` waits just as long. */
const silenceMs = 300_000;

export function httpFetch(url: string, init: Init): Promise<Answer> {
  return send(url, init, {});
}

/** @param tls a connection whose server certificate the caller has checked */
export function fetchOver(tls: TLSSocket, url: string, init: Init): Promise<Answer> {
  return send(url, init, { createConnection: () => tls });
}

/** @param ca certificates of the accepted authorities, each as PEM */
export function fetchTrusting(ca: readonly string[], url: string, init: Init): Promise<Answer> {
  return send(url, init, { ca: [...ca] });
}

async function send(
  url: string,
  { method, headers, body, signal }: Init,
  tls: { readonly createConnection?: () => TLSSocket; readonly ca?: string[] },
): Promise<Answer> {
  signal?.throwIfAborted();
  // An `import` of these modules evaluates all of their exports. One of them, WebSocket, loads the same code as
  // `fetch`.
  const { request } = process.getBuiltinModule(url.startsWith('https:') ? 'node:https' : 'node:http');
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }) },
      timeout: silenceMs,
      ...(signal && { signal }),
      ...tls,
    });
    sent.on('timeout', () => sent.destroy(new Error('the server is silent')));
    sent.on('error', (error) =>
      reject(signal?.aborted ? signal.reason : new TypeError('fetch failed', { cause: error })),
    );
    sent.on('response', (response) => resolve(answerOf(response, signal)));
    sent.end(body);
  });
}

function answerOf(response: Incoming, signal: AbortSignal | undefined): Answer {
  const { statusCode: status = 0, headersDistinct } = response;
  const isEmpty = status === 204 || status === 304;
  // Nobody reads an empty body, so it is read here to free the connection.
  if (isEmpty) response.resume();
  const chunks = chunksOf(response, signal);
  return {
    status,
    ok: status >= 200 && status < 300,
    headers: { get: (name) => headersDistinct[name.toLowerCase()]?.join(', ') ?? null },
    get body() {
      return isEmpty ? null : ReadableStream.from(chunks);
    },
    async text() {
      const read: Uint8Array[] = [];
      for await (const chunk of chunks) read.push(chunk);
      return new TextDecoder().decode(Buffer.concat(read));
    },
  };
}

async function* chunksOf(response: Incoming, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void> {
  try {
    for await (const chunk of response) yield chunk;
  } catch (error) {
    throw signal?.aborted ? signal.reason : new TypeError('terminated', { cause: error });
  }
}
