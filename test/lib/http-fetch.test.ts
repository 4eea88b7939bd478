// flwd's own HTTP client behaves like `fetch`.

import { createServer, type RequestListener } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Fetch } from '../../src/client/client.ts';
import { httpFetch } from '../../src/lib/http/http-fetch.ts';

async function listen(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`;
}

describe.each<[string, Fetch]>([
  ['httpFetch', httpFetch],
  ['fetch', fetch],
])('with %s', (_name, fetchBy) => {
  test.each(['POST', 'DELETE'])('the body of a %s is sent with its length', async (method) => {
    const url = await listen((request, response) => {
      response.setHeader('x-length', request.headers['content-length'] ?? 'none');
      request.pipe(response);
    });
    const answer = await fetchBy(url, { method, headers: { 'content-type': 'text/plain' }, body: 'größer' });
    expect(answer).toMatchObject({ ok: true, status: 200 });
    expect([answer.headers.get('X-Length'), answer.headers.get('etag')]).toEqual(['8', null]);
    expect(await answer.text()).toBe('größer');
  });

  test('an answer can be read as a stream, and an empty answer has no body', async () => {
    const url = await listen(({ url: path }, response) => {
      if (path === '/none') response.writeHead(204).end();
      else response.writeHead(404).end('gone');
    });
    const { ok, status, body } = await fetchBy(url, { method: 'GET', headers: {} });
    expect([ok, status]).toEqual([false, 404]);
    const chunks: Uint8Array[] = [];
    for await (const chunk of body ?? []) chunks.push(chunk);
    expect(String(Buffer.concat(chunks))).toBe('gone');
    const none = await fetchBy(`${url}none`, { method: 'GET', headers: {} });
    expect([none.body, await none.text()]).toEqual([null, '']);
  });

  test('a broken connection causes a TypeError, however the answer is read', async () => {
    const url = await listen((_request, response) => {
      response.write('the first', () => response.destroy());
    });
    const ask = () => fetchBy(url, { method: 'GET', headers: {} });
    await expect(ask().then((answer) => answer.text())).rejects.toThrow(TypeError);
    const reading = ask().then(async ({ body }) => {
      for await (const _ of body ?? []);
    });
    await expect(reading).rejects.toThrow(TypeError);
  });

  test('an aborted request throws the reason of the signal', async () => {
    const reason = new DOMException('Enough.', 'TimeoutError');
    const before = AbortSignal.abort(reason);
    const caller = new AbortController();
    const reader = new AbortController();
    const url = await listen(({ url: path }, response) => {
      if (path === '/silent') caller.abort(reason);
      else response.write('the first', () => reader.abort(reason));
    });
    const ask = (path: string, signal: AbortSignal) => fetchBy(`${url}${path}`, { method: 'GET', headers: {}, signal });
    await expect(ask('', before)).rejects.toBe(reason);
    await expect(ask('silent', caller.signal)).rejects.toBe(reason);
    await expect(ask('', reader.signal).then((answer) => answer.text())).rejects.toBe(reason);
  });

  test('a port without a listener causes ECONNREFUSED', async () => {
    const asked = fetchBy('http://127.0.0.1:2/', { method: 'GET', headers: {} });
    await expect(asked).rejects.toThrow(TypeError);
    await expect(asked).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
  });
});
