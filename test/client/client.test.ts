import { createServer, type Server as HttpServer } from 'node:http';
import { afterAll, describe, expect, test } from 'vitest';
import { ApiProblem, ServerUnreachable } from '../../src/client/api-problem.ts';
import { createClient } from '../../src/client/client.ts';
import { type Frame, streamEvents } from '../../src/client/resuming-stream.ts';
import { type Operation, operations } from '../../src/contract/operations.ts';
import { routes } from '../../src/contract/routes.ts';
import { startServing } from '../server/serving.ts';
import { bash } from '../support/jobs.ts';
import { openStreamGate } from '../support/stream-gate.ts';

const server = await startServing({ jobs: { 'backup/daily': bash('true') } });
afterAll(() => server.close());
const client = createClient({ baseUrl: server.url });

async function all(frames: AsyncIterable<Frame>): Promise<Frame[]> {
  const seen: Frame[] = [];
  for await (const frame of frames) seen.push(frame);
  return seen;
}

test('calls are typed by the table of operations', async () => {
  const job = await client.call('getJob', { path: { job_id: 'backup/daily' } });
  const name: string = job.name;
  expect(name).toBe('daily');
  const { jobs } = await client.call('listJobs');
  expect(jobs).toHaveLength(1);
  expect(await client.call('listRuns', { query: { status: 'failed', limit: 5 } })).toEqual({
    runs: [],
    total: 0,
    total_exact: true,
    next_cursor: null,
  });
  // @ts-expect-error -- a status that the API does not know
  await expect(client.call('listRuns', { query: { status: 'done' } })).rejects.toThrow(ApiProblem);
});

test('the client accepts JSON if the operation answers with it', () => {
  const asked = Object.entries(routes).map(([id, route]) => [id, !('isJson' in route)]);
  const answered = Object.entries<Operation>(operations).map(([id, { answers }]) => [
    id,
    answers.some(({ content }) => 'application/json' in content),
  ]);
  expect(Object.fromEntries(asked)).toEqual(Object.fromEntries(answered));
});

test('for bytes and text the client returns the response itself', async () => {
  const run = await server.addRun();
  const id = await server.addArtifact(run, { name: 'a.txt', content: 'text' });
  const response = await client.request('getArtifact', { path: { artifact_id: id } });
  expect(await response.text()).toBe('text');
});

test('a problem is thrown with its slug, status and members', async () => {
  const error = await client.call('createPlan', { body: { job_id: '' } }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ApiProblem);
  expect(error).toMatchObject({
    status: 400,
    slug: 'validation-error',
    title: 'Validation Error',
    message: expect.stringContaining('/job_id'),
    members: { errors: [{ pointer: '/job_id' }] },
  });
  await expect(client.call('getRun', { path: { run_id: 'a/../b' } })).rejects.toMatchObject({ status: 404 });
});

test('a server that does not listen is reported as unreachable', async () => {
  const nobody = createClient({ baseUrl: 'http://127.0.0.1:1' });
  await expect(nobody.call('listJobs')).rejects.toThrow(ServerUnreachable);
  await expect(all(nobody.stream('streamRunEvents'))).rejects.toThrow(ServerUnreachable);
});

test('an error response without a problem document is thrown as a problem, too', async () => {
  const proxy = await listen((_, response) => response.writeHead(502).end('<h1>Bad Gateway</h1>'));
  await expect(createClient({ baseUrl: proxy.url }).call('listJobs')).rejects.toMatchObject({
    status: 502,
    slug: 'unknown',
  });
  proxy.server.close();
});

test('the log of a run is followed to its end', async () => {
  const run = await server.addRun();
  await run.move('claim');
  await run.print('one');
  const frames = all(client.stream('getRunLogs', { path: { run_id: run.id } }));
  await run.print('two');
  await run.finish();
  expect((await frames).map(({ id, event, data }) => [id, event, data.message])).toEqual([
    ['1', 'log', 'one'],
    ['2', 'log', 'two'],
    ['2', 'end', undefined],
  ]);
});

test('a stream of a run’s events ends with the run, whichever events were requested', async () => {
  const run = await server.addRun();
  const whole = all(client.stream('getRunEvents', { path: { run_id: run.id } }));
  const some = all(client.stream('streamRunEvents', { query: { run_id: run.id, types: 'run.started' } }));
  await run.move('claim');
  await run.finish();
  expect((await whole).at(-1)).toMatchObject({ event: 'run.finished', data: { status: 'success' } });
  expect((await some).map(({ event }) => event)).toEqual(['run.started']);
});

describe('if the server closes its streams before a run ends', () => {
  test('the log of a run that has printed nothing yet is followed to its end', async () => {
    const gate = await openStreamGate(server.url);
    const run = await server.addRun();
    await run.move('claim');
    const frames = all(createClient({ baseUrl: gate.url }).stream('getRunLogs', { path: { run_id: run.id } }));
    for (let n = 0; n < 2; n++) {
      await expect.poll(gate.open).toBe(1);
      gate.endStreams();
    }
    await run.print('late');
    await run.finish();
    expect((await frames).map(({ event, data }) => [event, data.message ?? data.status])).toEqual([
      ['log', 'late'],
      ['end', 'success'],
    ]);
  });

  test('the events of the run are followed to their end, whichever were requested', async () => {
    const gate = await openStreamGate(server.url);
    const run = await server.addRun();
    const through = createClient({ baseUrl: gate.url });
    const path = { run_id: run.id };
    const whole = all(through.stream('getRunEvents', { path, query: { types: 'run.started,run.finished' } }));
    const some = all(through.stream('streamRunEvents', { query: { ...path, types: 'run.started' } }));
    await expect.poll(gate.open).toBe(2);
    gate.endStreams();
    await run.move('claim');
    await run.finish();
    expect((await whole).map(({ event }) => event)).toEqual(['run.started', 'run.finished']);
    expect((await some).map(({ event }) => event)).toEqual(['run.started']);
  });
});

test('a broken stream resumes after the last id, and ends at an error that a retry cannot fix', async () => {
  const asked: (string | undefined)[] = [];
  let breakOff = (): void => undefined;
  const flaky = await listen(({ headers }, response) => {
    const after = headers['last-event-id'];
    asked.push(typeof after === 'string' ? after : undefined);
    if (asked.length === 3) return response.writeHead(503).end();
    if (asked.length === 5) return response.writeHead(410, { 'content-type': 'application/problem+json' }).end('{}');
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const id = Number(after ?? 0) + 1;
    response.write(`id: ${id}\nevent: run.finished\ndata: {"n":${id}}\n\nid: ${id + 1}\nevent: run.cre`);
    if (asked.length % 2 === 0) response.end();
    else breakOff = () => response.destroy();
    return response;
  });
  const frames: Frame[] = [];
  const error = await (async () => {
    for await (const frame of createClient({ baseUrl: flaky.url }).stream('streamRunEvents')) {
      frames.push(frame);
      breakOff();
    }
  })().catch((thrown: unknown) => thrown);
  flaky.server.close();
  expect(frames.map(({ id, data }) => [id, data.n])).toEqual([
    ['1', 1],
    ['2', 2],
    ['3', 3],
  ]);
  expect(asked).toEqual([undefined, '1', '2', '2', '3']);
  expect(error).toMatchObject({ status: 410 });
});

test('a silent stream is opened again after the last id, but silence caused by a slow reader does not count', async () => {
  const asked: (string | undefined)[] = [];
  const silent = await listen(({ headers }, response) => {
    const after = headers['last-event-id'];
    asked.push(typeof after === 'string' ? after : undefined);
    // The second connection gets no answer at all.
    if (asked.length === 2) return;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    if (asked.length === 1) response.write('id: 1\nevent: a\ndata: {}\n\n');
    else response.end('id: 2\nevent: b\ndata: {}\n\nid: 3\nevent: end\ndata: {}\n\n');
  });
  const frames: string[] = [];
  const stream = streamEvents({
    open: async (headers, signal) => fetch(silent.url, { headers, signal }),
    signal: AbortSignal.timeout(120_000),
    lastEvent: 'end',
    onOpen: undefined,
    onBreak: undefined,
    silenceMs: 3_000,
  });
  for await (const { event } of stream) {
    frames.push(event);
    if (event === 'b') await new Promise((resolve) => setTimeout(resolve, 4_000));
  }
  silent.server.closeAllConnections();
  silent.server.close();
  expect([frames, asked]).toEqual([
    ['a', 'b', 'end'],
    [undefined, '1', '1'],
  ]);
});

test('an id without data changes where a stream resumes, and is not delivered as an event', async () => {
  const asked: unknown[] = [];
  const marking = await listen(({ headers }, response) => {
    asked.push(headers['last-event-id']);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(asked.length === 1 ? 'id: 1\nevent: a\ndata: {}\n\nid: 7\n\n' : 'event: end\ndata: {}\n\n');
  });
  const frames = await all(
    streamEvents({
      open: async (headers, signal) => fetch(marking.url, { headers, signal }),
      signal: AbortSignal.timeout(60_000),
      lastEvent: 'end',
      onOpen: undefined,
      onBreak: undefined,
    }),
  );
  marking.server.close();
  expect([frames.map(({ id, event }) => `${event} ${id}`), asked]).toEqual([
    ['a 1', 'end 7'],
    [undefined, '7'],
  ]);
});

test('aborting ends a stream without an error, even between two connections', async () => {
  const abort = new AbortController();
  const frames = all(client.stream('streamRunEvents', { signal: abort.signal }));
  await server.addRun();
  abort.abort();
  await expect(frames).resolves.toEqual(expect.any(Array));
});

test('the client sends the name of its interface and its token', async () => {
  let seen: Record<string, unknown> = {};
  const echo = await listen(({ headers }, response) => {
    seen = headers;
    response.end('{"jobs":[]}');
  });
  await createClient({ baseUrl: `${echo.url}/`, token: 'flwd_x', client: 'cli' }).call('listJobs');
  echo.server.close();
  expect(seen).toMatchObject({ authorization: 'Bearer flwd_x', 'x-flwd-client': 'cli' });
});

async function listen(
  handle: Parameters<typeof createServer>[1],
): Promise<{ readonly server: HttpServer; readonly url: string }> {
  const listening = createServer({}, handle);
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const address = listening.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return { server: listening, url: `http://127.0.0.1:${port}` };
}
