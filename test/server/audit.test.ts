import { afterAll, expect, test } from 'vitest';
import type { AuditEntry } from '../../src/domain/audit.ts';
import { anEntry } from '../store/an-entry.ts';
import { startServing } from './serving.ts';

const server = await startServing();
afterAll(() => server.close());
await server.store.db.transact(async (tx) => {
  for (let n = 1; n <= 1_200; n++) tx.record(anEntry({ actor: n % 2 === 0 ? 'even' : 'odd', detail: { n } }));
});

type Page = { readonly entries: AuditEntry[]; readonly total: number; readonly next_cursor: string | null };

async function page(query: string): Promise<Page> {
  const response = await server.fetch(`/audit${query}`);
  expect(response.status).toBe(200);
  return JSON.parse(await response.text());
}

async function lines(query: string): Promise<AuditEntry[]> {
  const response = await server.fetch(`/audit${query}`, { headers: { accept: 'application/x-ndjson' } });
  expect(response.headers.get('content-type')).toBe('application/x-ndjson');
  return (await response.text())
    .split('\n')
    .filter((line) => line !== '')
    .map((line): AuditEntry => JSON.parse(line));
}

test('a page has a hundred entries by default, newest first, and a cursor for the next page', async () => {
  const first = await page('');
  expect(first).toMatchObject({ total: 1_200, next_cursor: '1101' });
  expect(first.entries[0]).toMatchObject({ id: 1_200, detail: { n: 1_200 } });
  expect(first.entries).toHaveLength(100);
  const second = await page(`?cursor=${first.next_cursor}&limit=1000`);
  expect(second.entries[0]?.id).toBe(1_100);
  expect((await page(`?cursor=${second.next_cursor}&limit=1000`)).entries.map(({ id }) => id)).toHaveLength(100);
  expect((await page('?actor=odd&limit=1&offset=599')).entries).toMatchObject([{ id: 1 }]);
});

test('JSON lines contain all entries, or as many as `limit` says', async () => {
  const all = await lines('');
  expect([all.length, all[0]?.id, all.at(-1)?.id]).toEqual([1_200, 1_200, 1]);
  expect(await lines('?actor=odd')).toHaveLength(600);
  expect(await lines('?limit=700&actor=even')).toHaveLength(600);
  expect((await lines('?limit=501')).at(-1)?.id).toBe(700);
  expect((await lines('?limit=2&cursor=5')).map(({ id }) => id)).toEqual([4, 3]);
});

test.each([
  ['?action=run.crate', '?action'],
  ['?result=maybe', '?result'],
  ['?cursor=x', '?cursor'],
  ['?limit=1001', '?limit'],
  ['?since=yesterday', '?since'],
  ['?who=me', '?who'],
])('%s is an error, also for JSON lines', async (query, pointer) => {
  for (const accept of ['application/json', 'application/x-ndjson']) {
    const response = await server.fetch(`/audit${query}`, { headers: { accept } });
    expect([response.status, await response.json()]).toEqual([
      400,
      expect.objectContaining({ errors: [expect.objectContaining({ pointer })] }),
    ]);
  }
});

test('reading the log needs the scope audit:read', async () => {
  const { headers } = await server.token({ scopes: ['audit:read'] });
  expect((await server.fetch('/audit', { headers })).status).toBe(200);
  const other = await server.token({ scopes: ['runs:write', 'secrets:write', 'metrics:read'] });
  expect((await server.fetch('/audit', { headers: other.headers })).status).toBe(403);
  expect((await server.fetch('/audit', { method: 'DELETE' })).status).toBe(405);
});

test('searching 120,000 entries as JSON lines takes one pass, with one page in memory at a time', async () => {
  await using large = await startServing();
  const rows = 120_000;
  for (let first = 1; first <= rows; first += 10_000) {
    await large.store.db.transact(async (tx) => {
      for (let n = first; n < first + 10_000; n++)
        tx.record(anEntry({ reason: 'late', detail: { n, of: 'x'.repeat(200) } }));
    });
  }
  const startedAt = process.cpuUsage();
  const response = await large.fetch('/audit?q=late', { headers: { accept: 'application/x-ndjson' } });
  const before = process.memoryUsage().heapUsed;
  let mostBytes = 0;
  let lineCount = 0;
  for await (const chunk of response.body ?? []) {
    for (const byte of chunk) if (byte === 10) lineCount += 1;
    mostBytes = Math.max(mostBytes, process.memoryUsage().heapUsed - before);
  }
  expect(lineCount).toBe(rows);
  // The whole answer is 60 MB of text, and all its entries in memory would be several times as large.
  expect(mostBytes).toBeLessThan(150 * 2 ** 20);
  expect(process.cpuUsage(startedAt).user).toBeLessThan(15_000_000);
  const deep = await large.fetch(`/audit?q=late&limit=2&offset=${rows - 2}`);
  expect(await deep.json()).toMatchObject({ entries: [{ id: 2 }, { id: 1 }], total: rows, next_cursor: null });
}, 180_000);
