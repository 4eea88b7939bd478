// API reference, Server-Sent Events › Run Events Stream.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect } from 'vitest';
import { allFramesOf, apartFromWaits, type Frame, framesOf, framesUntil } from '../support/event-stream.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';
import { shows } from './shows.ts';

const test = testWith('bwrap');

const server = await startServer({
  jobs: {
    'backup/daily': bash(
      'echo Processing...; sleep 0.3; flwd_progress 50 half; sleep 0.3; echo problem >&2; sleep 0.3; exit 3',
    ),
    // The printf that is built into bash would write line by line.
    'at-once': bash(
      `printf 'one\\ntwo\\nthree\\n\\x1eP 50 half\\nfour\\n'
       until [[ -e seen ]]; do sleep 0.02; done; rm seen
       env printf '\\x1eP 90 most\\nfive\\n'`,
    ),
    quick: bash('echo quick'),
    ticking: bash('for i in $(seq 1 50); do echo "tick $i"; sleep 0.02; done'),
    gated: bash('echo before; sleep 60'),
    staged: {
      'config.yaml': JSON.stringify({
        steps: [
          { id: 'build', script: './say.sh' },
          { id: 'ship', script: './say.sh', needs: ['build'] },
        ],
      }),
      'say.sh': `#!/usr/bin/env bash
for i in 1 2 3; do echo "$FLWD_STEP_ID $i"; sleep 0.1; done; echo "$FLWD_STEP_ID fell" >&2
`,
    },
    chatty: bash('for i in $(seq 1 300); do echo "$i"; done'),
  },
});
afterAll(() => server.close());

const stream = (query = '', headers: Record<string, string> = {}) => server.fetch(`/events/runs${query}`, { headers });
const of = (frames: readonly Frame[]) => frames.map((frame) => frame.event);
const messages = (frames: readonly Frame[]) =>
  frames.filter((frame) => frame.event === 'run.output').map((frame) => frame.data.message);
const ids = (frames: readonly Frame[]) => frames.map((frame) => Number(frame.id));

function expectGrowing(frames: readonly Frame[]): void {
  const numbers = ids(frames);
  expect(numbers.every(Number.isSafeInteger)).toBe(true);
  expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
}

test('a run causes the events of the reference, flat, in order, with growing ids', async () => {
  shows(
    'events.run.created',
    'events.run.started',
    'events.run.output',
    'events.run.finished',
    'events.step.started',
    'events.step.finished',
    'events.data.run_id',
    'events.data.timestamp',
    'events.data.level',
    'events.data.message',
  );
  const { run_id } = await server.run('backup/daily', undefined, { tenant: 'acme' });
  const frames = await allFramesOf(await stream(`?run_id=${run_id}`));
  const about = { run_id, job_id: 'backup/daily', tenant: 'acme', timestamp: expect.stringMatching(/^\d{4}-.*Z$/) };
  const step = { step_id: 'step_01' };
  expect(apartFromWaits(frames)).toMatchObject([
    { event: 'run.created', data: { ...about, status: 'pending' } },
    { event: 'run.started', data: { ...about, status: 'running' } },
    { event: 'step.started', data: { ...about, ...step, status: 'running', attempt: 1 } },
    { event: 'run.output', data: { ...about, ...step, level: 'info', message: 'Processing...' } },
    { event: 'run.progress', data: { ...about, percent: 50, message: 'half' } },
    { event: 'run.output', data: { ...about, ...step, level: 'error', message: 'problem' } },
    { event: 'step.finished', data: { ...about, ...step, status: 'failed', reason: 'exit', exit_code: 3, attempt: 1 } },
    { event: 'run.finished', data: { ...about, status: 'failed', reason: 'exit', exit_code: 3 } },
  ]);
  expectGrowing(frames);
});

describe('a printed line', () => {
  const ofOutput = (frames: readonly Frame[], type: string) => frames.filter(({ event }) => event === type);
  const said = ['build 1', 'build 2', 'build 3', 'build fell', 'ship 1', 'ship 2', 'ship 3', 'ship fell'];

  test('of a job with steps causes run.output and then step.output with the same data, live and in a replay', async () => {
    shows('events.step.output');
    const runId = await server.start('staged');
    const live = await allFramesOf(await stream(`?run_id=${runId}`));
    expectGrowing(live);
    expect(messages(live)).toEqual(said);
    const output = live.filter(({ event }) => event?.endsWith('.output'));
    expect(of(output)).toEqual(said.flatMap(() => ['run.output', 'step.output']));
    expect(ofOutput(output, 'step.output').map(({ data }) => data)).toEqual(
      ofOutput(output, 'run.output').map(({ data }) => data),
    );
    const about = { run_id: runId, job_id: 'staged', tenant: 'default', timestamp: expect.stringMatching(/Z$/) };
    expect(output[1]?.data).toEqual({
      ...about,
      seq: 1,
      step_id: 'build',
      attempt: 1,
      stream: 'stdout',
      level: 'info',
      message: 'build 1',
    });
    expect(output.at(-1)?.data).toEqual({
      ...about,
      seq: 8,
      step_id: 'ship',
      attempt: 1,
      stream: 'stderr',
      level: 'error',
      message: 'ship fell',
    });
    expect(await allFramesOf(await stream(`?run_id=${runId}`))).toEqual(live);
    expect(await allFramesOf(await server.fetch(`/runs/${runId}/events`))).toEqual(live);
    const lines = await server.fetch(`/runs/${runId}/events`, { headers: { accept: 'application/x-ndjson' } });
    expect((await lines.text()).trimEnd().split('\n')).toEqual(
      live.map(({ id, event, data }) => JSON.stringify({ id: Number(id), event, ...data })),
    );
  });

  test.each(['run.output', 'step.output'])(
    'causes one event for a client that asks only for %s, live and in a replay',
    async (type) => {
      const runId = await server.start('staged');
      const live = await allFramesOf(await stream(`?run_id=${runId}&types=${type}`));
      expect(live.map(({ data }) => data.message)).toEqual(said);
      expect(live).toEqual(ofOutput(await allFramesOf(await stream(`?run_id=${runId}`)), type));
      const path = `/runs/${runId}/events?types=${type}`;
      expect(await allFramesOf(await server.fetch(path))).toEqual(live);
      const lines = await server.fetch(path, { headers: { accept: 'application/x-ndjson' } });
      expect(
        (await lines.text())
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line).id),
      ).toEqual(ids(live));
    },
  );

  test('is neither lost nor repeated when a client resumes, even between the two events of the line', async () => {
    const { run_id } = await server.run('staged');
    const all = await allFramesOf(await stream(`?run_id=${run_id}`));
    for (const [at, { id = '' }] of all.entries()) {
      const resumed = (query: string) => stream(`?run_id=${run_id}${query}`, { 'last-event-id': id });
      const rest = all.slice(at + 1);
      expect(await allFramesOf(await resumed(''))).toEqual(rest);
      for (const type of ['run.output', 'step.output'])
        expect(await allFramesOf(await resumed(`&types=${type}`))).toEqual(ofOutput(rest, type));
    }
  });

  test('of a job without steps causes only run.output', async () => {
    const { run_id } = await server.run('quick');
    expect(await allFramesOf(await stream(`?run_id=${run_id}&types=step.output`))).toEqual([]);
    expect(messages(await allFramesOf(await stream(`?run_id=${run_id}`)))).toEqual(['quick']);
  });
});

test('progress stays between the lines around it, even if all were read at once', async () => {
  const runId = await server.start('at-once');
  // If the server reads several progress reports at once, only the last one becomes an event.
  await framesUntil(await stream(`?run_id=${runId}`), ({ event }) => event === 'run.progress');
  await writeFile(join(server.dataDir, 'runs', runId, 'workspace', 'seen'), '');
  const frames = await allFramesOf(await stream(`?run_id=${runId}&types=run.output,run.progress`));
  expect(frames.map(({ data }) => data.message)).toEqual(['one', 'two', 'three', 'half', 'four', 'most', 'five']);
  expectGrowing(frames);
});

test('the stream works with proxies and browsers, and says when to reconnect', async () => {
  shows('events.frame');
  const { run_id } = await server.run('quick');
  const response = await stream(`?run_id=${run_id}`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream\b/);
  expect(response.headers.get('cache-control')).toBe('no-store');
  const text = await response.text();
  expect(text).toMatch(/^retry: 3000\n\n/);
  expect(text).toMatch(/\nid: \d+\nevent: run\.created\ndata: \{[^\n]+\}\n\n/);
});

test('without run_id the stream starts now, and has the events of every run', async () => {
  shows('events.stream');
  const before = await server.run('quick');
  const response = await stream();
  const [first, second] = [await server.start('quick'), await server.start('ticking')];
  const open = new Set([first, second]);
  const frames = await framesUntil(response, ({ event, data }) => {
    if (event === 'run.finished') open.delete(data.run_id);
    return open.size === 0;
  });
  const runs = new Set(frames.map(({ data }) => data.run_id));
  expect(runs).toEqual(new Set([first, second]));
  expect(runs).not.toContain(before.run_id);
  expectGrowing(frames);
});

test('job_id and types filter the events', async () => {
  shows('events.stream.job_id');
  const response = await stream('?job_id=quick&types=run.created,run.finished');
  await server.run('chatty');
  const { run_id } = await server.run('quick');
  const frames = await framesUntil(response, ({ event }) => event === 'run.finished');
  expect(of(frames)).toEqual(['run.created', 'run.finished']);
  expect(frames.map(({ data }) => data.run_id)).toEqual([run_id, run_id]);
});

test('with run_id the stream starts at the first event, follows the run, and ends with it', async () => {
  shows('events.stream.run_id');
  const runId = await server.start('ticking');
  await expect.poll(() => server.messages(runId)).toContain('tick 10');
  const frames = await allFramesOf(await stream(`?run_id=${runId}`));
  expect(of(frames)[0]).toBe('run.created');
  expect(messages(frames)).toEqual(Array.from({ length: 50 }, (_, i) => `tick ${i + 1}`));
  expect(of(frames).at(-1)).toBe('run.finished');
  expectGrowing(frames);
});

test('an event arrives while the run continues', async () => {
  const runId = await server.start('gated');
  const frames = await framesUntil(await stream(`?run_id=${runId}`), ({ event }) => event === 'run.output');
  expect(messages(frames)).toEqual(['before']);
  expect(await server.json(`/runs/${runId}`)).toMatchObject({ status: 'running' });
  await server.fetch(`/runs/${runId}/cancel`, { method: 'POST' });
});

describe('Last-Event-ID', () => {
  test('resumes right after that event, wherever the stream was cut, by header or query', async () => {
    const { run_id } = await server.run('chatty');
    const all = await allFramesOf(await stream(`?run_id=${run_id}`));
    expect(messages(all)).toEqual(Array.from({ length: 300 }, (_, i) => String(i + 1)));
    for (const cut of [0, 2, 3, 150, 302, all.length - 2]) {
      const lastId = all[cut]?.id ?? '';
      const rest = await allFramesOf(await stream(`?run_id=${run_id}`, { 'last-event-id': lastId }));
      expect(rest).toEqual(all.slice(cut + 1));
      expect(await allFramesOf(await stream(`?run_id=${run_id}&last_event_id=${lastId}`))).toEqual(rest);
    }
  });

  test('a reader that is cut off again and again misses nothing and sees nothing twice', async () => {
    let lastId = '';
    for await (const frame of framesOf(await stream(`?run_id=${(await server.run('quick')).run_id}`)))
      lastId = frame.id ?? '';
    const runs = await Promise.all(['ticking', 'chatty', 'ticking'].map((job) => server.start(job)));
    const open = new Set(runs);
    const seen: Frame[] = [];
    while (open.size > 0) {
      let inThisStream = 0;
      for await (const frame of framesOf(await stream('', { 'last-event-id': lastId }))) {
        seen.push(frame);
        lastId = frame.id ?? '';
        if (frame.event === 'run.finished') open.delete(frame.data.run_id);
        if (open.size === 0 || ++inThisStream === 37) break;
      }
    }
    expectGrowing(seen);
    for (const [index, lines] of [50, 300, 50].entries()) {
      const own = seen.filter(({ data }) => data.run_id === runs[index]);
      expect(messages(own)).toHaveLength(lines);
      expect(of(apartFromWaits(own)).filter((event) => event !== 'run.output')).toEqual([
        'run.created',
        'run.started',
        'step.started',
        'step.finished',
        'run.finished',
      ]);
    }
  });

  test('works across a restart of the server', async () => {
    const { run_id } = await server.run('chatty');
    const before = await allFramesOf(await stream(`?run_id=${run_id}`));
    await server.stop('SIGKILL');
    await server.startAgain();
    const rest = await allFramesOf(await stream(`?run_id=${run_id}`, { 'last-event-id': before[20]?.id ?? '' }));
    expect(rest).toEqual(before.slice(21));
    const { run_id: next } = await server.run('quick');
    const after = await allFramesOf(await stream(`?run_id=${next}`));
    expectGrowing([...before, ...after]);
  });

  test.each(['abc', '1.5', '-1', '99999999999999999999'])('%s is not an id, and gets 400', async (lastId) => {
    const response = await stream('', { 'last-event-id': lastId });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ type: 'https://flowd.org/problems/malformed-request' });
    const inQuery = await stream(`?last_event_id=${lastId}`);
    expect(inQuery.status).toBe(400);
    expect(await inQuery.json()).toMatchObject({ errors: [{ pointer: '?last_event_id' }] });
  });
});

test('an unknown run gets 404, not an open stream', async () => {
  for (const path of [
    '/events/runs?run_id=run_01HX0000000000000000000000',
    '/runs/run_01HX0000000000000000000000/events',
  ]) {
    const response = await server.fetch(path);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ type: 'https://flowd.org/problems/run-not-found' });
  }
});

test.each(['?types=run.exploded', '?run=1'])('%s is a validation-error', async (query) => {
  const response = await stream(query);
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ errors: [{ pointer: query.slice(0, query.indexOf('=')) }] });
});

test('/runs/{id}/events returns the same for one run, as a stream or as JSON lines', async () => {
  const { run_id } = await server.run('backup/daily');
  const frames = await allFramesOf(await stream(`?run_id=${run_id}`));
  expect(await allFramesOf(await server.fetch(`/runs/${run_id}/events`))).toEqual(frames);
  const lines = await server.fetch(`/runs/${run_id}/events`, { headers: { accept: 'application/x-ndjson' } });
  expect(lines.headers.get('content-type')).toMatch(/^application\/x-ndjson\b/);
  const parsed: object[] = (await lines.text())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(parsed).toMatchObject(frames.map(({ data }) => data));
});

test('JSON lines of a running run contain the events so far, and the answer ends', async () => {
  const runId = await server.start('gated');
  const events = async (): Promise<string[]> => {
    const lines = await server.fetch(`/runs/${runId}/events`, { headers: { accept: 'application/x-ndjson' } });
    return (await lines.text()).trimEnd().split('\n');
  };
  // run.created, run.started, step.started, and one line.
  await expect.poll(events).toHaveLength(4);
  await server.fetch(`/runs/${runId}/cancel`, { method: 'POST' });
});

test('a quiet stream sends a comment every 15 s', async () => {
  const stop = new AbortController();
  const response = await server.fetch('/events/runs?job_id=none', { signal: stop.signal });
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (/^:/m.test(text)) break;
  }
  stop.abort();
  expect(text).toMatch(/^retry: 3000\n\nid: \d+\n\n:[^\n]*\n\n$/);
});
