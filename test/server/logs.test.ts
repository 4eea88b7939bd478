import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { allFramesOf, type Frame, framesOf, framesUntil } from '../support/event-stream.ts';
import { startServing, type TestRun } from './serving.ts';

type Line = { seq: number; timestamp: string; level: string; message: string };
type Page = { logs: Line[]; next_cursor: string | null };

const server = await startServing();
afterAll(() => server.close());

const rs = '\x1e';
const logs = (run: TestRun, query = '', headers: Readonly<Record<string, string>> = {}) =>
  server.fetch(`/runs/${run.id}/logs${query}`, { headers });
const page = async (run: TestRun, query = ''): Promise<Page> => JSON.parse(await (await logs(run, query)).text());
const messages = (frames: readonly Frame[]) =>
  frames.filter(({ event }) => event === 'log').map(({ data }) => data.message);

let finished: TestRun;
beforeAll(async () => {
  finished = await server.addRun();
  await finished.move('claim');
  await finished.print('one', `${rs}Etwo`, `${rs}wthree`, '{"level":"error","msg":"four","disk":"/dev/sda"}');
  await finished.print('five', 'six ü');
  await finished.finish();
});

describe('a page', () => {
  test('has the lines with all their fields, oldest first', async () => {
    const { logs: lines, next_cursor } = await page(finished);
    expect(lines.map(({ seq, level, message }) => [seq, level, message])).toEqual([
      [1, 'info', 'one'],
      [2, 'error', 'two'],
      [3, 'warn', 'three'],
      [4, 'error', 'four'],
      [5, 'info', 'five'],
      [6, 'info', 'six ü'],
    ]);
    expect(lines[3]).toEqual({
      seq: 4,
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
      level: 'error',
      message: 'four',
      step_id: 'step_01',
      stream: 'stdout',
      attempt: 1,
      fields: { disk: '/dev/sda' },
    });
    expect(next_cursor).toBeNull();
  });

  test('leads to the next page through its cursor', async () => {
    const seen: number[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const next: Page = await page(finished, `?limit=4${cursor && `&cursor=${cursor}`}`);
      seen.push(...next.logs.map(({ seq }) => seq));
      cursor = next.next_cursor;
    }
    expect(seen).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test.each([
    ['?tail=2', [5, 6]],
    ['?tail=2&before=4', [2, 3]],
    ['?before=3', [1, 2]],
    ['?tail=9&before=1', []],
    ['?level=warn', [2, 3, 4]],
    ['?q=FIVE', [5]],
    ['?attempt=2', []],
    ['?step_id=step_02', []],
    ['?level=error&tail=1', [4]],
  ])('with %s has the lines %j', async (query, seqs) => {
    expect((await page(finished, query)).logs.map(({ seq }) => seq)).toEqual(seqs);
  });

  test('begins after `since`, so that continuing at the last timestamp neither loses nor repeats lines', async () => {
    const { logs: lines } = await page(finished, '?limit=2');
    const after = await page(finished, `?since=${lines[1]?.timestamp}`);
    expect(after.logs.map(({ seq }) => seq)).toEqual([3, 4, 5, 6]);
  });

  test.each([
    ['limit=10001', '?limit'],
    ['tail=0', '?tail'],
    ['before=0', '?before'],
    ['follow=true&before=5', '?before'],
    ['since=now', '?since'],
    ['level=loud', '?level'],
    ['follow=1', '?follow'],
    ['cursor=-1', '?cursor'],
    ['attempt=0', '?attempt'],
    ['follow=true&limit=5', '?limit'],
    ['follow=true&last_event_id=abc', '?last_event_id'],
  ])('with %s is an error', async (query, pointer) => {
    const response = await logs(finished, `?${query}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ errors: [{ pointer }] });
  });
});

describe('the whole log', () => {
  test('can be read as text', async () => {
    const response = await logs(finished, '', { accept: 'text/plain' });
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(await response.text()).toBe('one\ntwo\nthree\nfour\nfive\nsix ü\n');
  });

  test('can be read as one JSON object per line', async () => {
    const response = await logs(finished, '?level=warn', { accept: 'application/x-ndjson' });
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    const lines = (await response.text()).trimEnd().split('\n');
    const page3 = (await page(finished, '?level=warn')).logs;
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual(page3);
  });

  test.each([
    ['?limit=2', 'one\ntwo\n'],
    ['?tail=1', 'six ü\n'],
    ['?cursor=4', 'five\nsix ü\n'],
    ['?cursor=1&before=4', 'two\nthree\n'],
    ['?tail=1&before=3', 'two\n'],
    ['?q=/DEV/', 'four\n'],
  ])('can be filtered by %s', async (query, text) => {
    expect(await (await logs(finished, query, { accept: 'text/plain' })).text()).toBe(text);
  });

  test('of a running run ends with its latest line', async () => {
    const run = await server.addRun();
    await run.move('claim');
    await run.print('so far');
    expect(await (await logs(run, '', { accept: 'text/plain' })).text()).toBe('so far\n');
  });
});

const follow = (run: TestRun, query = '', headers = {}) => logs(run, `?follow=true${query}`, headers);

describe('following a log', () => {
  test('sends the stored lines, then new lines, then the end, and closes the stream', async () => {
    const run = await server.addRun();
    await run.move('claim');
    await run.print('first', 'second');
    const response = await follow(run);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(response.headers.get('cache-control')).toBe('no-store');
    const frames: Frame[] = [];
    for await (const frame of framesOf(response)) {
      frames.push(frame);
      if (frames.length === 2) await run.print('third');
      if (frames.length === 3) {
        await run.print('fourth');
        await run.finish('fail');
      }
    }
    expect(frames.map(({ id, event }) => [id, event])).toEqual([
      ['1', 'log'],
      ['2', 'log'],
      ['3', 'log'],
      ['4', 'log'],
      [undefined, 'end'],
    ]);
    expect(frames[0]?.data).toMatchObject({ level: 'info', message: 'first', step_id: 'step_01' });
    expect(frames[4]?.data).toEqual({ run_id: run.id, status: 'failed' });
  });

  test('of a finished run sends the same, at once', async () => {
    const frames = await allFramesOf(await follow(finished));
    expect(messages(frames)).toEqual(['one', 'two', 'three', 'four', 'five', 'six ü']);
    expect(frames.at(-1)).toMatchObject({ event: 'end', data: { run_id: finished.id, status: 'success' } });
  });

  test('of a run that ended before it started sends an end and no lines', async () => {
    const run = await server.addRun();
    const frames = allFramesOf(await follow(run));
    await run.move('withdraw');
    expect(await frames).toMatchObject([{ event: 'end', data: { status: 'cancelled' } }]);
  });

  test.each([
    ['the header', '', { 'last-event-id': '3' }],
    ['the parameter', '&last_event_id=3', {}],
    [
      'the header before the parameter, which an EventSource keeps sending',
      '&last_event_id=1',
      { 'last-event-id': '3' },
    ],
    ['a cursor', '&cursor=3', {}],
  ])('continues right after the id in %s', async (_what, query, headers) => {
    expect(messages(await allFramesOf(await follow(finished, query, headers)))).toEqual(['four', 'five', 'six ü']);
  });

  test('with an id that is not a number gets 400', async () => {
    expect((await follow(finished, '', { 'last-event-id': 'abc' })).status).toBe(400);
  });

  test.each([
    ['&level=error', ['two', 'four']],
    ['&q=FIVE', ['five']],
    ['&q=sda', ['four']],
    ['&tail=2', ['five', 'six ü']],
    ['&tail=1&level=error', ['four']],
    ['&attempt=2', []],
  ])('with %s limits the stream to %j', async (query, expected) => {
    expect(messages(await allFramesOf(await follow(finished, query)))).toEqual(expected);
  });

  test('with `since` filters stored lines and skips no new ones', async () => {
    const run = await server.addRun();
    await run.move('claim');
    await run.print('old');
    const [last] = (await page(run)).logs;
    const response = await follow(run, `&since=${last?.timestamp}`);
    const first = framesUntil(response, () => true);
    await run.print('new');
    expect(messages(await first)).toEqual(['new']);
  });

  test('of an unknown run gets 404, not an open stream', async () => {
    const response = await server.fetch('/runs/run_x/logs?follow=true');
    expect(response.status).toBe(404);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
  });

  test('begins with the time after which to reconnect', async () => {
    expect(await (await follow(finished)).text()).toMatch(/^retry: 3000\n\nid: 1\nevent: log\ndata: \{/);
  });

  test('with HEAD opens no stream', async () => {
    const run = await server.addRun();
    const response = await server.fetch(`/runs/${run.id}/logs?follow=true`, { method: 'HEAD' });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
  });

  test('sends every line to each of many readers once, in order', async () => {
    const run = await server.addRun();
    await run.move('claim');
    const responses = await Promise.all(Array.from({ length: 30 }, () => follow(run)));
    const followers = responses.map((response) => allFramesOf(response));
    const expected: string[] = [];
    for (let batch = 0; batch < 20; batch++) {
      const lines = Array.from({ length: 50 }, (_, at) => `line ${batch * 50 + at}`);
      expected.push(...lines);
      await run.print(...lines);
    }
    await run.finish();
    for (const frames of await Promise.all(followers)) expect(messages(frames)).toEqual(expected);
  });
});
