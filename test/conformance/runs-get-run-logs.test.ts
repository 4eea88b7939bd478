// API reference, Runs › Get Run Logs.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import type { LogAnswer, LogLineAnswer, ProblemAnswer } from '../support/answers.ts';
import { allFramesOf, type Frame, framesOf, framesUntil } from '../support/event-stream.ts';
import { testWith } from '../support/host.ts';
import { bash, node } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';
import { shows } from './shows.ts';

const test = testWith('bwrap');

const server = await startServer({
  jobs: {
    mixed: bash(
      `echo "Starting backup..."
       echo "to stderr" >&2
       until [[ -e seen ]]; do sleep 0.02; done; rm seen
       flwd_log warn "disk is nearly full"
       echo '{"level":"debug","msg":"structured","bytes":12}'
       echo '{"level":"error","message":"also structured"}'
       echo '{"no":"level"}'
       echo
       printf 'Backup complete'`,
    ),
    numbered: node('for (let i = 1; i <= 2500; i++) console.log(`line ${i}`);'),
    ticking: bash('for i in $(seq 1 60); do echo "tick $i"; sleep 0.02; done'),
    gated: bash('echo before; sleep 60'),
    silent: bash('true'),
    torrent: node('for (let i = 1; i <= 20000; i++) console.log(`${i} ${"x".repeat(80)}`);'),
  },
});
afterAll(() => server.close());

const logs = (query: string) => server.json<LogAnswer>(query);
const numbers = (lines: readonly LogLineAnswer[]) => lines.map((line) => Number(line.message.split(' ')[1]));
const from1 = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

const line = (seq: number, level: string, message: string, stream = 'stdout', fields?: object) => ({
  timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
  level,
  message,
  step_id: 'step_01',
  seq,
  stream,
  attempt: 1,
  ...(fields ? { fields } : {}),
});

const follow = (runId: string, lastId?: string) =>
  server.fetch(`/runs/${runId}/logs?follow=true`, lastId ? { headers: { 'last-event-id': lastId } } : {});
const messageOf = (frame: Frame) => frame.data.message;

let mixed: string;
let numbered: string;

beforeAll(async () => {
  mixed = await server.start('mixed');
  await framesUntil(await follow(mixed), (frame) => messageOf(frame) === 'to stderr');
  await writeFile(join(server.dataDir, 'runs', mixed, 'workspace', 'seen'), '');
  await server.finished(mixed);
  numbered = (await server.run('numbered')).run_id;
});

test('lines have the fields of the reference, their level, their stream and their number', async () => {
  shows(
    'logs.get',
    'logs.get.logs',
    'logs.get.logs.timestamp',
    'logs.get.logs.level',
    'logs.get.logs.message',
    'logs.get.logs.step_id',
  );
  const answer = await logs(`/runs/${mixed}/logs`);
  expect(answer).toEqual({
    logs: [
      line(1, 'info', 'Starting backup...'),
      line(2, 'error', 'to stderr', 'stderr'),
      line(3, 'warn', 'disk is nearly full'),
      line(4, 'debug', 'structured', 'stdout', { bytes: 12 }),
      line(5, 'error', 'also structured'),
      line(6, 'info', '{"no":"level"}'),
      line(7, 'info', ''),
      line(8, 'info', 'Backup complete'),
    ],
    next_cursor: null,
  });
});

test('timestamps grow strictly, so a reader who continues from the last timestamp misses no line', async () => {
  shows('logs.get.since');
  const seen: LogLineAnswer[] = [];
  let since = '';
  for (;;) {
    const { logs: page } = await logs(`/runs/${numbered}/logs?limit=700${since && `&since=${since}`}`);
    seen.push(...page);
    const last = page.at(-1);
    if (!last) break;
    since = last.timestamp;
  }
  expect(numbers(seen)).toEqual(from1(2500));
  const times = seen.map((line) => line.timestamp);
  expect(new Set(times).size).toBe(2500);
  expect(times).toEqual(times.toSorted());
});

test('a page has 1000 lines by default, and a cursor to the next one', async () => {
  const first = await logs(`/runs/${numbered}/logs`);
  expect(numbers(first.logs)).toEqual(from1(1000));
  const second = await logs(`/runs/${numbered}/logs?cursor=${encodeURIComponent(first.next_cursor ?? '')}&limit=10000`);
  expect(numbers(second.logs)).toEqual(from1(2500).slice(1000));
  expect(second.next_cursor).toBeNull();
});

test('tail returns the last lines, oldest first', async () => {
  expect(numbers((await logs(`/runs/${numbered}/logs?tail=3`)).logs)).toEqual([2498, 2499, 2500]);
});

test('lines can be filtered by level, q, step_id and attempt', async () => {
  const messages = async (query: string) => (await logs(`/runs/${mixed}/logs?${query}`)).logs.map((line) => line.seq);
  expect(await messages('level=warn')).toEqual([2, 3, 5]);
  expect(await messages('level=error')).toEqual([2, 5]);
  expect(await messages('q=backup')).toEqual([1, 8]);
  expect(await messages('q=nowhere')).toEqual([]);
  expect(await messages('step_id=step_01&level=warn')).toEqual([2, 3, 5]);
  expect(await messages('step_id=step_02')).toEqual([]);
  expect(await messages('attempt=2')).toEqual([]);
  expect(numbers((await logs(`/runs/${numbered}/logs?q=line%20249&limit=4`)).logs)).toEqual([249, 2490, 2491, 2492]);
});

test('Accept: text/plain gives the whole log as text', async () => {
  const response = await server.fetch(`/runs/${numbered}/logs`, { headers: { accept: 'text/plain' } });
  expect(response.headers.get('content-type')).toMatch(/^text\/plain\b/);
  expect(await response.text()).toBe(
    from1(2500)
      .map((i) => `line ${i}\n`)
      .join(''),
  );
  const some = await server.fetch(`/runs/${numbered}/logs?limit=2`, { headers: { accept: 'text/plain' } });
  expect(await some.text()).toBe('line 1\nline 2\n');
});

test('Accept: application/x-ndjson gives one JSON object per line', async () => {
  const response = await server.fetch(`/runs/${numbered}/logs`, { headers: { accept: 'application/x-ndjson' } });
  expect(response.headers.get('content-type')).toMatch(/^application\/x-ndjson\b/);
  const lines: LogLineAnswer[] = (await response.text())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(numbers(lines)).toEqual(from1(2500));
});

test('a run that wrote nothing has an empty log', async () => {
  const { run_id } = await server.run('silent');
  expect(await logs(`/runs/${run_id}/logs`)).toEqual({ logs: [], next_cursor: null });
});

test.each([
  ['limit=0', '?limit'],
  ['limit=10001', '?limit'],
  ['since=now', '?since'],
  ['level=loud', '?level'],
  ['attempt=0', '?attempt'],
  ['cursor=x', '?cursor'],
  ['folow=true', '?folow'],
  ['follow=maybe', '?follow'],
])('%s is a validation-error that names the parameter', async (query, pointer) => {
  const response = await server.fetch(`/runs/${mixed}/logs?${query}`);
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ errors: [{ pointer }] });
});

test.each(['', '?follow=true'])('the log of an unknown run%s gets 404, not an open stream', async (query) => {
  const response = await server.fetch(`/runs/run_01HX0000000000000000000000/logs${query}`);
  expect(response.status).toBe(404);
  const problem: ProblemAnswer = JSON.parse(await response.text());
  expect(problem.type).toBe('https://flowd.org/problems/run-not-found');
});

describe('follow=true', () => {
  test('frames have the format of the reference, and the stream ends with the run', async () => {
    shows('logs.follow.event', 'logs.follow.timestamp', 'logs.follow.level', 'logs.follow.message');
    const response = await follow(mixed);
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream\b/);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const text = await response.text();
    expect(text).toMatch(/^retry: 3000\n\n/);
    expect(text).toMatch(/\nid: 1\nevent: log\ndata: \{[^\n]*"message":"Starting backup\.\.\."[^\n]*\}\n\n/);

    const frames = await allFramesOf(await follow(mixed));
    expect(frames).toHaveLength(9);
    expect(frames[0]).toMatchObject({
      id: '1',
      event: 'log',
      data: {
        timestamp: expect.stringMatching(/\.\d{6}Z$/),
        level: 'info',
        message: 'Starting backup...',
        step_id: 'step_01',
      },
    });
    expect(frames.at(-1)).toMatchObject({ event: 'end', data: { run_id: mixed, status: 'success' } });
  });

  test('stored lines come first, then new ones, without gaps or repetitions', async () => {
    const runId = await server.start('ticking');
    await expect.poll(() => server.messages(runId)).toContain('tick 5');
    const frames = await allFramesOf(await follow(runId));
    expect(frames.slice(0, -1).map((frame) => frame.id)).toEqual(from1(60).map(String));
    expect(frames.slice(0, -1).map(messageOf)).toEqual(from1(60).map((i) => `tick ${i}`));
    expect(frames.at(-1)).toMatchObject({ event: 'end', data: { run_id: runId, status: 'success' } });
  });

  test('a line arrives while the run continues', async () => {
    shows('logs.get.follow');
    const runId = await server.start('gated');
    const frames = await framesUntil(await follow(runId), () => true);
    expect(frames.map(messageOf)).toEqual(['before']);
    expect(await server.json(`/runs/${runId}`)).toMatchObject({ status: 'running' });
    const rest = follow(runId, '1').then(allFramesOf);
    await server.fetch(`/runs/${runId}/cancel`, { method: 'POST' });
    expect((await rest).at(-1)).toMatchObject({ event: 'end', data: { run_id: runId, status: 'cancelled' } });
  });

  test('Last-Event-ID resumes right after that line, as a header and in the query', async () => {
    const rest = await allFramesOf(await follow(numbered, '2490'));
    expect(rest.map((frame) => frame.id).slice(0, 10)).toEqual(from1(10).map((i) => String(2490 + i)));
    expect(rest).toHaveLength(11);
    const inQuery = await allFramesOf(await server.fetch(`/runs/${numbered}/logs?follow=true&last_event_id=2499`));
    expect(inQuery.map((frame) => frame.event)).toEqual(['log', 'end']);
    expect((await follow(numbered, 'abc')).status).toBe(400);
  });

  test('a reader that is cut off again and again still gets every line once', async () => {
    const runId = await server.start('torrent');
    const seen: string[] = [];
    let lastId = '';
    let cuts = 0;
    for (let isEnded = false; !isEnded; ) {
      let inThisStream = 0;
      for await (const frame of framesOf(await follow(runId, lastId))) {
        isEnded = frame.event === 'end';
        if (isEnded) break;
        seen.push(messageOf(frame).split(' ')[0] ?? '');
        lastId = frame.id ?? '';
        if (++inThisStream === 3_001) break;
      }
      cuts++;
    }
    expect(cuts).toBeGreaterThan(5);
    expect(seen).toEqual(from1(20_000).map(String));
  });

  test('since and level filter a stream, too', async () => {
    const all = await logs(`/runs/${mixed}/logs`);
    const since = all.logs[1]?.timestamp ?? '';
    const frames = await allFramesOf(await server.fetch(`/runs/${mixed}/logs?follow=true&since=${since}&level=warn`));
    expect(frames.map((frame) => [frame.event, frame.id])).toEqual([
      ['log', '3'],
      ['log', '5'],
      ['end', undefined],
    ]);
  });

  test('lines of stdout and stderr are in the order in which they were written', async () => {
    const frames = await allFramesOf(await follow(mixed));
    expect(frames.slice(0, 2).map(messageOf)).toEqual(['Starting backup...', 'to stderr']);
  });
});
