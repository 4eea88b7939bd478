// API reference, Artifacts › Get Artifact.

import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, vi } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash, python } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';
import { shows } from './shows.ts';

const test = testWith('bwrap');

const server = await startServer({
  jobs: {
    archive: bash('printf 0123456789 > backup.tar.gz', { artifacts: { paths: ['backup.tar.gz'] } }),
    binary: python(
      `import os
with open(os.path.join(os.environ["FLWD_ARTIFACTS_DIR"], "all.bin"), "wb") as f:
    for _ in range(4000):
        f.write(bytes(range(256)))`,
    ),
    page: bash('echo "<script>alert(1)</script>" > "$FLWD_ARTIFACTS_DIR/page.html"'),
    hostile: python(
      `import os
d = os.environ["FLWD_ARTIFACTS_DIR"]
for name in ['a"b;c.txt', 'new\\nline.txt', 'ümlaut é.txt', '..%2f..%2fetc', '-rf', ' space ']:
    open(os.path.join(d, name), "w").write(name)`,
    ),
    fleeting: bash('echo gone > "$FLWD_ARTIFACTS_DIR/soon.txt"', { artifacts: { ttl: '4s' } }),
    empty: bash(': > "$FLWD_ARTIFACTS_DIR/empty.txt"'),
  },
});
afterAll(() => server.close());

async function artifactOf(jobId: string): Promise<string> {
  const { run_id } = await server.run(jobId);
  const [artifact] = await server.artifacts(run_id);
  expect(artifact, `the artifact of ${jobId}`).toBeDefined();
  return artifact?.id ?? '';
}
const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');
const get = (id: string, headers: Record<string, string> = {}) => server.fetch(`/artifacts/${id}`, { headers });

let archive: string;
beforeAll(async () => {
  archive = await artifactOf('archive');
});

test('the file comes with its type, its length, and headers that keep a browser from running it', async () => {
  shows('artifacts.get.content_type');
  const response = await get(archive);
  expect(response.status).toBe(200);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'application/gzip',
    'content-length': '10',
    'content-disposition': expect.stringMatching(/^attachment; filename="?backup\.tar\.gz"?/),
    'content-security-policy': expect.stringMatching(/\bsandbox\b/),
    'x-content-type-options': 'nosniff',
    'accept-ranges': 'bytes',
    etag: '"84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882"',
  });
  expect(await response.text()).toBe('0123456789');
});

test('binary content is served unchanged', async () => {
  shows('artifacts.get');
  const response = await get(await artifactOf('binary'));
  const bytes = Buffer.from(await response.arrayBuffer());
  expect(bytes).toHaveLength(1_024_000);
  const expected = Buffer.concat(
    Array.from({ length: 4000 }, () => Buffer.from(Array.from({ length: 256 }, (_, i) => i))),
  );
  expect(sha256(bytes)).toBe(sha256(expected));
});

test('an empty file is an artifact too', async () => {
  const response = await get(await artifactOf('empty'));
  expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([200, '0', '']);
});

test('an HTML artifact is never shown as a page', async () => {
  const response = await get(await artifactOf('page'));
  expect(response.headers.get('content-disposition')).toMatch(/^attachment\b/);
  expect(response.headers.get('content-security-policy')).toMatch(/\bsandbox\b/);
});

test('HEAD answers with the headers only', async () => {
  const response = await server.fetch(`/artifacts/${archive}`, { method: 'HEAD' });
  expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([200, '10', '']);
});

test('If-None-Match with the ETag gets 304', async () => {
  const etag = (await get(archive)).headers.get('etag') ?? '';
  expect((await get(archive, { 'if-none-match': etag })).status).toBe(304);
  expect((await get(archive, { 'if-none-match': `"other", ${etag}` })).status).toBe(304);
  expect((await get(archive, { 'if-none-match': '*' })).status).toBe(304);
  expect((await get(archive, { 'if-none-match': '"other"' })).status).toBe(200);
});

describe('Range', () => {
  test.each([
    ['bytes=0-3', 'bytes 0-3/10', '0123'],
    ['bytes=4-', 'bytes 4-9/10', '456789'],
    ['bytes=-2', 'bytes 8-9/10', '89'],
    ['bytes=8-99', 'bytes 8-9/10', '89'],
    ['bytes=-99', 'bytes 0-9/10', '0123456789'],
  ])('%s gets 206 with %s', async (range, contentRange, text) => {
    const response = await get(archive, { range });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(contentRange);
    expect(response.headers.get('content-length')).toBe(String(text.length));
    expect(await response.text()).toBe(text);
  });

  test.each(['bytes=10-', 'bytes=99-100', 'bytes=-0'])('%s gets 416 with the size', async (range) => {
    const response = await get(archive, { range });
    expect(response.status).toBe(416);
    expect(response.headers.get('content-range')).toBe('bytes */10');
    expect(await response.json()).toMatchObject({
      type: 'https://flowd.org/problems/range-not-satisfiable',
      status: 416,
    });
  });

  test.each(['lines=1-2', 'bytes=x-y', 'bytes=3-1'])(
    '%s is not a valid range, so the whole file is sent',
    async (range) => {
      const response = await get(archive, { range });
      expect([response.status, await response.text()]).toEqual([200, '0123456789']);
    },
  );

  test('If-Range with another ETag gets the whole file', async () => {
    expect((await get(archive, { range: 'bytes=0-3', 'if-range': '"other"' })).status).toBe(200);
  });
});

test('a hostile file name is made safe for the header, and the file can be downloaded', async () => {
  const { run_id } = await server.run('hostile');
  const artifacts = await server.artifacts(run_id);
  expect(artifacts).toHaveLength(6);
  for (const { id, name } of artifacts) {
    const response = await get(id);
    expect(response.status).toBe(200);
    const disposition = response.headers.get('content-disposition') ?? '';
    expect(disposition).toMatch(/^attachment; [\x20-\x7e]+$/);
    expect(/filename="((?:[^"\\]|\\.)*)"/.exec(disposition)?.[1] ?? '').not.toMatch(/[/\\\r\n]/);
    expect((await response.text()).replace('\n', '_')).toBe(name);
  }
});

test.each(['artifact_01HX0000000000000000000000', 'nonsense', '..%2f..%2fflwd.db', '%00'])(
  '%s gets 404',
  async (id) => {
    const response = await get(id);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ type: 'https://flowd.org/problems/artifact-not-found', status: 404 });
  },
);

test('an expired artifact gets 410', async () => {
  // An artifact that has expired is in no list, so its id must be read before that.
  const id = await vi.waitFor(() => artifactOf('fleeting'), { timeout: 60_000 });
  await expect.poll(async () => (await get(id)).status).toBe(410);
  expect(await (await get(id)).json()).toMatchObject({ type: 'https://flowd.org/problems/artifact-gone', status: 410 });
});
