import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventTypes } from '../../src/domain/event.ts';
import { allFramesOf, type Frame, framesOf, framesUntil } from '../support/event-stream.ts';
import { startServing, type TestRun } from './serving.ts';

const server = await startServing();
afterAll(() => server.close());

const stream = (query = '', headers: Readonly<Record<string, string>> = {}) =>
  server.fetch(`/events/runs${query}`, { headers });
const names = (frames: readonly Frame[]) => frames.map(({ event }) => event);

let finished: TestRun;
beforeAll(async () => {
  finished = await server.addRun();
  await finished.move('claim');
  await finished.print('one', 'two', 'three');
  await finished.finish();
});

const whole = [
  'run.created',
  'run.started',
  'step.started',
  'run.output',
  'run.output',
  'run.output',
  'step.finished',
  'run.finished',
];

test('a client that waits for other events is told now and then how far the stream has got', async () => {
  const run = await server.addRun();
  await run.move('claim');
  const answer = await stream('?types=run.cancelling');
  let text = '';
  const reading = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  const read = (async () => {
    for (let part = await reading?.read(); part && !part.done; part = await reading?.read()) text += part.value;
  })();
  const ids = async () => {
    await run.print('of another kind');
    return [...text.matchAll(/^id: (\d+)\n\n/gm)].map(([, id]) => Number(id));
  };
  await expect.poll(async () => (await ids()).length, { interval: 250 }).toBeGreaterThanOrEqual(2);
  const [first = 0, second = 0] = await ids();
  expect(second).toBeGreaterThan(first);
  expect(text).not.toContain('event:');
  await reading?.cancel();
  await read;
  expect((await stream(`?last_event_id=${second}`)).status).toBe(200);
});

describe('the events of one run', () => {
  test('are sent from the first one to run.finished, and then the stream ends', async () => {
    const frames = await allFramesOf(await stream(`?run_id=${finished.id}`));
    expect(names(frames)).toEqual(whole);
    const ids = frames.map(({ id }) => Number(id));
    expect(ids).toEqual([...new Set(ids)].toSorted((a, b) => a - b));
    const about = { run_id: finished.id, job_id: 'demo', tenant: 'default', timestamp: expect.any(String) };
    expect(frames[1]?.data).toEqual({ ...about, status: 'running', attempt: 1, waited_ms: expect.any(Number) });
    expect(frames[3]?.data).toEqual({
      ...about,
      seq: 1,
      step_id: 'step_01',
      attempt: 1,
      stream: 'stdout',
      level: 'info',
      message: 'one',
    });
    expect(frames.at(-1)?.data).toMatchObject({ ...about, status: 'success' });
  });

  test.each(['header', 'parameter'])('continue after any id in the %s, even in the middle of output', async (way) => {
    const all = await allFramesOf(await stream(`?run_id=${finished.id}`));
    for (const [at, { id = '' }] of all.entries()) {
      const rest =
        way === 'header'
          ? await stream(`?run_id=${finished.id}`, { 'last-event-id': id })
          : await stream(`?run_id=${finished.id}&last_event_id=${id}`);
      expect(await allFramesOf(rest)).toEqual(all.slice(at + 1));
    }
  });

  test('are the same at the path of the run, whether as a stream or as JSON lines', async () => {
    const frames = await allFramesOf(await stream(`?run_id=${finished.id}`));
    expect(await allFramesOf(await server.fetch(`/runs/${finished.id}/events`))).toEqual(frames);
    const response = await server.fetch(`/runs/${finished.id}/events`, { headers: { accept: 'application/x-ndjson' } });
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    const lines = (await response.text()).trimEnd().split('\n');
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual(
      frames.map(({ id, event, data }) => ({ id: Number(id), event, ...data })),
    );
  });

  test('are returned so far as JSON lines, although the run continues', async () => {
    const run = await server.addRun();
    await run.move('claim');
    const response = await server.fetch(`/runs/${run.id}/events`, { headers: { accept: 'application/x-ndjson' } });
    expect((await response.text()).trimEnd().split('\n')).toHaveLength(3);
  });

  test('are complete and not repeated where stored events end and live events begin', async () => {
    const run = await server.addRun();
    await run.move('claim');
    await run.print('before');
    const frames: Frame[] = [];
    for await (const frame of framesOf(await stream(`?run_id=${run.id}`))) {
      frames.push(frame);
      if (frames.length === 4) {
        await run.print('after', 'last');
        await run.finish('fail');
      }
    }
    expect(names(frames)).toEqual(whole);
    expect(frames.filter(({ event }) => event === 'run.output').map(({ data }) => data.message)).toEqual([
      'before',
      'after',
      'last',
    ]);
  });

  test('end with the run, even if the filter leaves run.finished out', async () => {
    expect(names(await allFramesOf(await stream(`?run_id=${finished.id}&types=run.created,step.started`)))).toEqual([
      'run.created',
      'step.started',
    ]);
  });

  test('end at once if the run has finished and the client has seen everything', async () => {
    const frames = await allFramesOf(await stream(`?run_id=${finished.id}`));
    expect(await allFramesOf(await stream(`?run_id=${finished.id}&last_event_id=${frames.at(-1)?.id}`))).toEqual([]);
    expect(await allFramesOf(await stream(`?run_id=${finished.id}&job_id=other`))).toEqual([]);
  });

  test('of an unknown run are answered with 404, not with an open stream', async () => {
    expect((await stream('?run_id=run_x')).status).toBe(404);
    expect((await server.fetch('/runs/run_x/events')).status).toBe(404);
  });
});

describe('the events of all runs', () => {
  test('begin with the present if no id is given', async () => {
    const response = await stream();
    const run = await server.addRun();
    const [first] = await framesUntil(response, () => true);
    expect(first).toMatchObject({ event: 'run.created', data: { run_id: run.id } });
  });

  test('can be filtered by job and by type', async () => {
    const response = await stream('?job_id=wanted&types=run.created,run.output');
    const other = await server.addRun({ jobId: 'other' });
    await other.print('not this');
    const run = await server.addRun({ jobId: 'wanted' });
    await run.move('claim');
    await run.print('this');
    const frames = await framesUntil(response, ({ event }) => event === 'run.output');
    expect(names(frames)).toEqual(['run.created', 'run.output']);
    expect(frames[1]?.data).toMatchObject({ run_id: run.id, message: 'this' });
  });

  test('continue after an id with everything that happened since', async () => {
    const run = await server.addRun();
    const [created] = await framesUntil(await stream(`?run_id=${run.id}`), () => true);
    await run.move('claim');
    await run.finish();
    const frames = await framesUntil(
      await stream('', { 'last-event-id': created?.id ?? '' }),
      ({ event }) => event === 'run.finished',
    );
    expect(names(frames)).toEqual(['run.started', 'step.started', 'step.finished', 'run.finished']);
  });

  test('can begin with the very first event, which only the database has, and then continue live', async () => {
    const response = await stream('?types=run.created', { 'last-event-id': '0' });
    const total = (await server.store.runs.list({ limit: 1 })).total;
    const last = await server.addRun();
    const frames = await framesUntil(response, ({ data }) => data.run_id === last.id);
    expect(frames).toHaveLength(total + 1);
  });

  test.each(['abc', '-1', '1.5', '1e3'])('cannot continue after the id %s, which is not a number', async (id) => {
    expect((await stream('', { 'last-event-id': id })).status).toBe(400);
    expect((await stream(`?last_event_id=${id}`)).status).toBe(400);
  });

  test('are answered with 410 after an id that the journal no longer has', async () => {
    const ahead = await stream('', { 'last-event-id': '999999999' });
    expect([ahead.status, await ahead.json()]).toMatchObject([
      410,
      { type: 'https://flowd.org/problems/events-expired' },
    ]);
    await using aged = await startServing();
    for (let i = 0; i < 3; i++) await aged.addRun();
    await aged.store.db.transact(async (tx) => {
      await tx.db.deleteFrom('events').where('id', '<', 3).execute();
    });
    const status = async (id: number) => {
      const response = await aged.fetch('/events/runs', { headers: { 'last-event-id': String(id) } });
      await response.body?.cancel();
      return response.status;
    };
    // Events that the hub still has in memory may refer to log lines that have been removed.
    expect([await status(0), await status(1), await status(2), await status(3)]).toEqual([410, 410, 200, 200]);
  });

  test('are refused for an unknown type with a similar one as a suggestion', async () => {
    const response = await stream('?types=run.created,run.finish,step.outputs');
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      errors: [
        { pointer: '?types', message: "'run.finish' is not the name of an event; did you mean run.finished?" },
        { pointer: '?types', message: "'step.outputs' is not the name of an event; did you mean step.output?" },
      ],
    });
    const unlike = JSON.parse(await (await stream('?types=whatever')).text());
    expect(unlike.errors[0].message).toBe(
      `'whatever' is not the name of an event; the names are ${eventTypes.join(', ')}`,
    );
    const all = await stream(`?types=${eventTypes.join(',')}`);
    expect(all.status).toBe(200);
    await all.body?.cancel();
  });
});
