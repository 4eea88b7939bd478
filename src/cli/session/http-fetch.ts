// HTTP to a server of flwd's own on this machine, without Node's `fetch`, which takes 40 ms to load, and to one elsewhere with
// authorities of its own, which `fetch` cannot be told. What goes wrong is said as that one says it. Redirects and compressed
// answers, which such a server has none of, are left to `fetch`.

import type { TLSSocket } from 'node:tls';
import type { Fetch, HttpAnswer } from '../../client/client.ts';

type Incoming = import('node:http').IncomingMessage;

/** How long a server may be silent while it is waited for: what `fetch` waits. */
const silenceMs = 300_000;

export const httpFetch: Fetch = (url, init) => send(url, init, {});

/** @param tls connected; that it is with the right server is the caller's to know. */
export function fetchOver(tls: TLSSocket, ...[url, init]: Parameters<Fetch>): Promise<HttpAnswer> {
  return send(url, init, { createConnection: () => tls });
}

/** @param ca certificates of the authorities, each PEM */
export function fetchTrusting(ca: readonly string[], ...[url, init]: Parameters<Fetch>): Promise<HttpAnswer> {
  return send(url, init, { ca: [...ca] });
}

async function send(
  url: string,
  { method, headers, body, signal }: Parameters<Fetch>[1],
  tls: { readonly createConnection?: () => TLSSocket; readonly ca?: string[] },
): Promise<HttpAnswer> {
  signal?.throwIfAborted();
  // An import of them reads each of their exports, and the WebSocket among those loads what `fetch` does.
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

function answerOf(response: Incoming, signal: AbortSignal | undefined): HttpAnswer {
  const { statusCode: status = 0, headersDistinct } = response;
  const isEmpty = status === 204 || status === 304;
  // Nobody reads its end, which gives the connection back.
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
