// GET /logs: which lines of which runs are found, in which order, and how a search continues.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { array, assert, asyncProperty, constantFrom, string } from 'fast-check';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { AnswerOf } from '../../src/contract/operations.ts';
import { type Serving, startServing, type TestRun } from './serving.ts';

type Found = AnswerOf<'searchLogs'>;

const rs = '\x1e';

async function started(server: Serving, o: Parameters<Serving['addRun']>[0], ...lines: string[]): Promise<TestRun> {
  const run = await server.addRun(o);
  await run.move('claim');
  await run.print(...lines);
  return run;
}

async function ended(server: Serving, o: Parameters<Serving['addRun']>[0], ...lines: string[]): Promise<TestRun> {
  const run = await started(server, o, ...lines);
  await run.finish();
  return run;
}

const search = async (server: Serving, query: Record<string, string>, init?: RequestInit): Promise<Found> =>
  JSON.parse(await (await server.fetch(`/logs?${new URLSearchParams(query).toString()}`, init)).text());

/** Reads all pages of a search, and returns their lines together. */
async function searchAll(
  server: Serving,
  query: Record<string, string>,
): Promise<{ pages: number; hits: Found['hits'] }> {
  const hits: Found['hits'] = [];
  let pages = 0;
  for (let cursor: string | null = ''; cursor !== null; pages++) {
    const page = await search(server, { ...query, ...(cursor && { cursor }) });
    hits.push(...page.hits);
    cursor = page.next_cursor;
  }
  return { pages, hits };
}

describe('a search on a server with some runs', () => {
  let server: Serving;
  let first: TestRun;
  let second: TestRun;
  let running: TestRun;
  beforeAll(async () => {
    server = await startServing();
    first = await ended(server, { jobId: 'etl/load' }, 'opening', `${rs}eDisk FULL on /srv`, 'closing');
    await ended(server, { jobId: 'report', tenant: 'acme' }, 'disk full of acme');
    second = await ended(server, { jobId: 'report' }, 'disk full, once', 'fine', 'disk full, twice');
    running = await started(server, { jobId: 'report' }, 'the disk is full? disk full!');
    await server.addRun({ jobId: 'report' });
    return () => server.close();
  });

  test('finds lines regardless of case, first of runs in progress, then of the runs that ended last', async () => {
    const { hits, ...rest } = await search(server, { q: 'DISK full', tenant: 'default' });
    expect(hits.map(({ run_id: run, job_id: job, seq, message }) => [run, job, seq, message])).toEqual([
      [running.id, 'report', 1, 'the disk is full? disk full!'],
      [second.id, 'report', 3, 'disk full, twice'],
      [second.id, 'report', 1, 'disk full, once'],
      [first.id, 'etl/load', 2, 'Disk FULL on /srv'],
    ]);
    expect(hits[3]).toMatchObject({ level: 'error', timestamp: expect.stringMatching(/\.\d{6}Z$/) });
    expect(rest).toEqual({
      next_cursor: null,
      searched: { from: null, bytes: expect.any(Number), segments: 3, unreadable: 0 },
    });
  });

  test.each([
    [{ q: 'disk', job_id: 'etl/load' }, ['Disk FULL on /srv']],
    [{ q: 'disk', status: 'running' }, ['the disk is full? disk full!']],
    [{ q: 'disk', status: 'failed' }, []],
    [{ level: 'error' }, ['Disk FULL on /srv']],
    [{ q: 'disk', since: '2100-01-01T00:00:00Z' }, []],
    [{ q: 'disk', until: '2000-01-01T00:00:00Z' }, []],
    [{ q: 'no such text' }, []],
    [{ q: 'acme' }, ['disk full of acme']],
  ])('filters by %o', async (query, messages) => {
    expect((await search(server, query)).hits.map(({ message }) => message)).toEqual(messages);
  });

  test('finds a line at the exact time of `since`, but not at that of `until`', async () => {
    const at = (await search(server, { q: 'fine' })).hits[0]?.timestamp ?? '';
    const nextMs = new Date(Date.parse(at) + 1).toISOString();
    const thisMs = new Date(Date.parse(at)).toISOString();
    expect((await search(server, { q: 'fine', since: thisMs, until: nextMs })).hits).toHaveLength(1);
    expect((await search(server, { q: 'fine', since: nextMs })).hits).toHaveLength(0);
    expect((await search(server, { q: 'fine', until: thisMs })).hits).toHaveLength(0);
  });

  test('finds each line once with pages of any size, while runs end and new runs print', async () => {
    const whole = (await search(server, { q: 'disk full' })).hits;
    expect(whole).toHaveLength(5);
    const late = await started(server, { jobId: 'late' }, 'disk full, late');
    const before = (await search(server, { q: 'disk full' })).hits;
    const one = await search(server, { q: 'disk full', limit: '1' });
    expect(one.hits).toEqual(before.slice(0, 1));
    // After the first page, the first run prints another line and ends, and a new run follows.
    await late.print('disk full, at the end');
    await late.finish();
    await ended(server, { jobId: 'later' }, 'disk full, later');
    const rest: Found['hits'] = [];
    for (let cursor = one.next_cursor; cursor !== null; ) {
      const page = await search(server, { q: 'disk full', limit: '1', cursor });
      rest.push(...page.hits);
      cursor = page.next_cursor;
    }
    expect(rest).toEqual(before.slice(1));
  });

  test('finds only lines of the caller’s tenant, whatever the query and cursor', async () => {
    const { headers } = await server.token({ tenant: 'acme', scopes: ['runs:read'] });
    const found = await search(server, { q: 'disk' }, { headers });
    expect(found.hits.map(({ message }) => message)).toEqual(['disk full of acme']);
    const { status } = await server.fetch('/logs?q=disk&tenant=default', { headers });
    expect(status).toBe(403);
    const { next_cursor: cursor } = await search(server, { q: 'disk full', job_id: 'report', limit: '2' });
    const stolen = await search(server, { q: 'disk', cursor: cursor ?? '' }, { headers });
    expect(stolen.hits.map(({ message }) => message)).toEqual(['disk full of acme']);
    const unread = await server.token({ scopes: ['jobs:read'] });
    expect((await server.fetch('/logs?q=disk', { headers: unread.headers })).status).toBe(403);
  });

  test('returns no cursor that names a run of another tenant', async () => {
    const { headers } = await server.token({ tenant: 'acme', scopes: ['runs:read'] });
    // Each reading of the clock advances it by a second, so that a search has time for only one step.
    const now = performance.now.bind(performance);
    let aheadMs = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => {
      aheadMs += 1_000;
      return now() + aheadMs;
    });
    const cursors: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: Found = await search(server, { q: 'x', ...(cursor && { cursor }) }, { headers });
      expect(page.hits.map(({ message }) => message)).toEqual([]);
      cursor = page.next_cursor;
      if (cursor !== null) cursors.push(Buffer.from(cursor, 'base64url').toString());
    }
    expect(cursors).not.toEqual([]);
    for (const { id } of [first, second, running]) expect(cursors.join('\n')).not.toContain(id);
  });

  test('cannot continue among runs in progress after several minutes', async () => {
    const old = Buffer.from(`${Date.now() - 3_600_000} - run_ZZ -`).toString('base64url');
    expect(await search(server, { q: 'disk', cursor: old })).toMatchObject({
      errors: [{ pointer: '?cursor', message: 'has expired: begin the search again' }],
    });
    const ended = Buffer.from(`${Date.now() - 3_600_000} ${Date.now()} run_ZZ -`).toString('base64url');
    expect((await search(server, { q: 'disk', cursor: ended })).hits.length).toBeGreaterThan(0);
  });

  test.each(['x', 'MTIz', Buffer.from('1 2 run_1 x').toString('base64url')])(
    'refuses a cursor of another list: %s',
    async (cursor) => {
      expect(await search(server, { q: 'disk', cursor })).toMatchObject({ errors: [{ pointer: '?cursor' }] });
    },
  );
});

test('a log of several segments is searched completely, from its last line, with pages of any size', async () => {
  await using server = await startServing();
  const run = await started(server, { jobId: 'large' }, 'begins');
  const line = 'x'.repeat(2_000);
  // More than the 4 MiB of a segment.
  for (let part = 0; part < 3; part++)
    await run.print(...Array.from({ length: 1_500 }, (_, n) => `${n % 500 === 0 ? 'mark' : 'other'} ${line}`));
  const open = await searchAll(server, { q: 'mark', limit: '2' });
  expect(open.pages).toBeGreaterThan(4);
  expect(open.hits.map(({ seq }) => seq)).toEqual([4002, 3502, 3002, 2502, 2002, 1502, 1002, 502, 2]);
  await run.finish();
  expect((await searchAll(server, { q: 'mark', limit: '4' })).hits).toEqual(open.hits);
  expect(open.hits[0]?.message).toHaveLength(1_001);
});

test('the excerpt shows the text even if it is far inside a long line', async () => {
  await using server = await startServing();
  await ended(server, {}, `${'a'.repeat(5_000)} NEEDLE ${'b'.repeat(5_000)}`);
  const [hit] = (await search(server, { q: 'needle' })).hits;
  expect(hit?.message).toMatch(/^…a+ NEEDLE b+…$/);
  expect(hit?.message.length).toBeLessThan(1_100);
});

test('a segment that cannot be read is counted, and the others are still searched', async () => {
  await using server = await startServing();
  const damaged = await ended(server, {}, 'lost words');
  await ended(server, {}, 'kept words');
  const folder = join(server.root, 'data/logs', damaged.id.slice(-2));
  const [name = ''] = readdirSync(folder).filter((file) => file.startsWith(damaged.id));
  writeFileSync(join(folder, name), 'nonsense');
  const { hits, searched } = await search(server, { q: 'words' });
  expect(hits.map(({ message }) => message)).toEqual(['kept words']);
  expect(searched.unreadable).toBe(1);
});

test('damaged lines are found as damaged, whatever the search text', async () => {
  await using server = await startServing();
  const run = await started(server, {}, 'lost words');
  await run.print('kept words');
  const folder = join(server.root, 'data/logs', run.id.slice(-2));
  const [name = ''] = readdirSync(folder).filter((file) => file.startsWith(run.id));
  const bytes = readFileSync(join(folder, name));
  bytes.write('LOST', bytes.indexOf('lost'));
  writeFileSync(join(folder, name), bytes);
  const { hits } = await search(server, { q: 'absent' });
  expect(hits.map(({ message }) => message)).toEqual([expect.stringContaining('line 1 of this log cannot be read')]);
});

test('a server can stop while a search is under way', async () => {
  const server = await startServing();
  await ended(server, {}, ...Array.from({ length: 20_000 }, (_, n) => `line ${n} ${'z'.repeat(100)}`));
  const searching = server.fetch('/logs?q=absent').catch(() => undefined);
  await server.close();
  await searching;
});

test('a search finds exactly what JavaScript finds if the case of A to Z is ignored', async () => {
  await using server = await startServing();
  const letters = constantFrom('a', 'A', 'z', 'Z', '@', '[', '`', '{', 'é', 'É', ' ', '\u007f', 'ſ');
  const texts = string({ unit: letters, minLength: 1, maxLength: 9 });
  const lower = (text: string): string => text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
  let n = 0;
  await assert(
    asyncProperty(
      array(texts, { minLength: 1, maxLength: 8 }),
      string({ unit: letters, minLength: 1, maxLength: 3 }),
      async (lines, q) => {
        n += 1;
        await ended(server, { jobId: `job-${n}` }, ...lines);
        const expected = lines.filter((text) => lower(text).includes(lower(q))).toReversed();
        const { hits } = await search(server, { q, job_id: `job-${n}` });
        expect(hits.map(({ message }) => message)).toEqual(expected);
      },
    ),
    { numRuns: 60 },
  );
});
