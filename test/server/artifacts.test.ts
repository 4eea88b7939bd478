import { createHash } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { startServing } from './serving.ts';

const server = await startServing();
afterAll(() => server.close());

const run = await server.addRun();
const content = Buffer.from('0123456789');
const id = await server.addArtifact(run, { name: 'bericht größe.html', content, mediaType: 'text/html' });
const sha256 = createHash('sha256').update(content).digest('hex');
const get = (artifact: string, headers: Readonly<Record<string, string>> = {}, method = 'GET') =>
  server.fetch(`/artifacts/${artifact}`, { headers, method });

test('an artifact is sent with its media type, and cannot run in a browser', async () => {
  const response = await get(id);
  expect(response.status).toBe(200);
  expect(await response.text()).toBe('0123456789');
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'text/html',
    'content-length': '10',
    'content-disposition': `attachment; filename="bericht gr__e.html"; filename*=UTF-8''bericht%20gr%C3%B6%C3%9Fe.html`,
    'content-security-policy': 'sandbox',
    'x-content-type-options': 'nosniff',
    'accept-ranges': 'bytes',
    etag: `"${sha256}"`,
  });
});

test.each(['text/csv; header="x y"', 'application/x~odd!type;v=1', 'text/plain; charset=utf-8'])(
  'the media type %s is sent as it was stored',
  async (mediaType) => {
    const artifact = await server.addArtifact(run, { name: 'typed', content, mediaType });
    expect((await get(artifact)).headers.get('content-type')).toBe(mediaType);
  },
);

describe('a request with a Range', () => {
  test.each([
    ['bytes=2-4', '234', 'bytes 2-4/10'],
    ['bytes=7-', '789', 'bytes 7-9/10'],
    ['bytes=-2', '89', 'bytes 8-9/10'],
  ])('of %s gets a part of the artifact', async (range, text, contentRange) => {
    const response = await get(id, { range });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(contentRange);
    expect(response.headers.get('content-length')).toBe(String(text.length));
    expect(await response.text()).toBe(text);
  });

  test.each(['bytes=1-2,4-5', 'bytes=x', 'lines=1-2'])(
    'of %s gets the whole artifact, because that is not one valid range',
    async (range) => {
      const response = await get(id, { range });
      expect([response.status, await response.text()]).toEqual([200, '0123456789']);
    },
  );

  test('outside of the artifact gets 416 with the size', async () => {
    const response = await get(id, { range: 'bytes=10-' });
    expect([response.status, response.headers.get('content-range')]).toEqual([416, 'bytes */10']);
    expect(response.headers.get('content-disposition')).toBeNull();
    expect(await response.json()).toMatchObject({ type: 'https://flowd.org/problems/range-not-satisfiable' });
  });

  test('and If-Range gets a part only if the content is unchanged', async () => {
    expect((await get(id, { range: 'bytes=0-1', 'if-range': `"${sha256}"` })).status).toBe(206);
    expect((await get(id, { range: 'bytes=0-1', 'if-range': '"other"' })).status).toBe(200);
  });
});

test('a client that already has the artifact gets 304', async () => {
  const response = await get(id, { 'if-none-match': `"${sha256}"` });
  expect([response.status, await response.text()]).toEqual([304, '']);
});

test('HEAD answers with the length and without a body', async () => {
  const response = await get(id, {}, 'HEAD');
  expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([200, '10', '']);
  const part = await get(id, { range: 'bytes=0-1' }, 'HEAD');
  expect([part.status, part.headers.get('content-length')]).toEqual([206, '2']);
});

test('an empty artifact is sent', async () => {
  const response = await get(await server.addArtifact(run, { name: 'empty', content: '' }));
  expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([200, '0', '']);
});

test('a large artifact arrives complete', async () => {
  const large = Buffer.alloc(8 * 1024 * 1024, 'flwd');
  const response = await get(await server.addArtifact(run, { name: 'large', content: large }));
  expect(Buffer.from(await response.arrayBuffer()).equals(large)).toBe(true);
});

test('the file is closed if the client disconnects before the answer begins', async () => {
  const artifact = await server.addArtifact(run, { name: 'large', content: Buffer.alloc(3_000_000, 'x') });
  const answers: ServerResponse[] = [];
  function onRequest(message: unknown): void {
    if (
      typeof message === 'object' &&
      message !== null &&
      'response' in message &&
      message.response instanceof ServerResponse
    )
      answers.push(message.response);
  }
  subscribe('http.server.request.start', onRequest);
  onTestFinished(() => void unsubscribe('http.server.request.start', onRequest));
  const reader = new AbortController();
  const files = await fileHandles();
  const looked = vi.spyOn(files, 'stat').mockImplementationOnce(async function (this: FileHandle) {
    reader.abort();
    const [answer] = answers;
    if (answer && !answer.destroyed) await once(answer, 'close');
    return this.stat();
  });
  onTestFinished(() => looked.mockRestore());

  await expect(server.fetch(`/artifacts/${artifact}`, { signal: reader.signal })).rejects.toThrow('aborted');

  await expect.poll(() => answers.map(({ destroyed }) => destroyed)).toEqual([true]);
  await expect.poll(() => openFiles().filter((path) => path.endsWith(artifact))).toEqual([]);
});

async function fileHandles(): Promise<FileHandle> {
  await using file = await open(import.meta.filename);
  return Object.getPrototypeOf(file);
}

function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}

test('an invalid media type is not sent in the header', async () => {
  const odd = await server.addArtifact(run, { name: 'odd', content: 'x', mediaType: 'text/html\r\nX-Evil: 1' });
  const response = await get(odd);
  expect(response.headers.get('content-type')).toBe('application/octet-stream');
  expect(response.headers.get('x-evil')).toBeNull();
});

test('an unknown artifact gets 404, and an expired one, or one without its file, gets 410', async () => {
  expect((await get('artifact_x')).status).toBe(404);
  expect((await get('..%2F..%2Fetc%2Fpasswd')).status).toBe(404);
  const expired = await server.addArtifact(run, { name: 'old', content: 'x', expiresAtMs: Date.now() - 1 });
  expect((await get(expired)).status).toBe(410);
  const lost = await server.addArtifact(run, { name: 'lost', content: 'x' });
  await rm(join(server.root, 'data/artifacts', lost.slice(-2), lost));
  const response = await get(lost);
  expect(response.status).toBe(410);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
});

test('the list begins with the newest artifact, and filters by run, job and name', async () => {
  const own = await server.addRun();
  const first = await server.addArtifact(own, { name: 'a.txt', content: 'a' });
  const second = await server.addArtifact(own, { name: 'b.txt', content: 'bb' });
  const list = async (
    query: string,
  ): Promise<{ artifacts: { id: string }[]; total: number; next_cursor: string | null }> =>
    JSON.parse(await (await server.fetch(`/artifacts?${query}`)).text());
  const all = await list(`run_id=${own.id}`);
  expect(all).toMatchObject({ artifacts: [{ id: second }, { id: first }], total: 2, next_cursor: null });
  expect(all.artifacts[1]).toEqual({
    id: first,
    run_id: own.id,
    name: 'a.txt',
    path: '/workspace/a.txt',
    media_type: 'application/octet-stream',
    size_bytes: 1,
    created_at: expect.any(String),
    sha256: createHash('sha256').update('a').digest('hex'),
    step_id: 'step_01',
    job_id: 'demo',
    tenant: 'default',
    expires_at: null,
  });
  expect((await list(`run_id=${own.id}&name=a.txt`)).artifacts).toHaveLength(1);
  const page = await list(`run_id=${own.id}&limit=1`);
  expect(page.artifacts).toEqual([expect.objectContaining({ id: second })]);
  expect((await list(`run_id=${own.id}&limit=1&cursor=${page.next_cursor}`)).artifacts).toEqual([
    expect.objectContaining({ id: first }),
  ]);
  expect((await server.fetch('/artifacts?limit=0')).status).toBe(400);
});
