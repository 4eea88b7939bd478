// The addresses of the API outside of /api/v1, and other spellings of its addresses, for clients written for another
// implementation.

import { afterAll, describe, expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { startServing } from './serving.ts';

const server = await startServing({
  jobs: { quick: bash('echo hi'), hold: bash('sleep 8031') },
  executes: true,
});
afterAll(() => server.close());

const json = async <T>(answer: Response): Promise<T> => JSON.parse(await answer.text());
const post = (url: string, body: unknown) =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
const page = { headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } };

async function finishedRun(): Promise<string> {
  const answer = await post(`${server.url}/runs`, { job_id: 'quick', async: false });
  expect([answer.status, answer.headers.get('location')]).toEqual([
    201,
    expect.stringMatching(/^\/api\/v1\/runs\/run_/),
  ]);
  return (await json<{ run_id: string }>(answer)).run_id;
}

test.each([
  ['/jobs', '/jobs'],
  ['/jobs/quick', '/jobs/quick'],
  ['/runs?limit=1', '/runs?limit=1'],
  ['/kv', '/kv'],
  ['/kv/quick', '/kv/quick'],
  ['/sources', '/sources'],
  ['/sources/local-fs', '/sources/local-fs'],
])('GET %s answers like the same path below /api/v1', async (atRoot, path) => {
  const [there, here] = [await fetch(server.url + atRoot), await server.fetch(path)];
  expect([there.status, await there.json()]).toEqual([200, await here.json()]);
});

test('browsers still get the console’s pages at these paths', async () => {
  for (const path of ['/jobs', '/jobs/quick', '/runs', '/runs/run_1']) {
    const answer = await fetch(server.url + path, page);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  }
});

test('a plan, a run and its events are also available at the root', async () => {
  expect(await json(await post(`${server.url}/plans`, { job_id: 'quick' }))).toMatchObject({ denied: null });
  const runId = await finishedRun();
  expect(await json(await fetch(`${server.url}/runs/${runId}`))).toMatchObject({ status: 'success' });
  const events = await (await fetch(`${server.url}/runs/${runId}/events`)).text();
  expect(events).toMatch(/^event: run\.finished$/m);
});

describe('GET /runs/{run_id}/events.ndjson', () => {
  test.each(['', '/api/v1'])('returns each event on a line (below %j)', async (base) => {
    const runId = await finishedRun();
    const answer = await fetch(`${server.url}${base}/runs/${runId}/events.ndjson?types=run.created,run.finished`);
    expect(answer.headers.get('content-type')).toBe('application/x-ndjson');
    const lines = (await answer.text()).trimEnd().split('\n');
    expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([{ run_id: runId }, { run_id: runId }]);
  });

  test('is 404 for an unknown run', async () => {
    expect((await server.fetch('/runs/run_01KBBBBBBBBBBBBBBBBBBBBBBB/events.ndjson')).status).toBe(404);
  });
});

test.each(['', '/api/v1'])('POST /runs/{run_id}:cancel cancels the run (below %j)', async (base) => {
  const { run_id: runId } = await json<{ run_id: string }>(await post(`${server.url}/runs`, { job_id: 'hold' }));
  const answer = await fetch(`${server.url}${base}/runs/${runId}:cancel?force=true`, { method: 'POST' });
  expect([answer.status, await answer.json()]).toEqual([200, { run_id: runId, status: 'cancelled' }]);
});

test.each(['/events', '/events/stream', '/api/v1/events', '/api/v1/events/stream'])(
  'GET %s streams the events of all runs, and can resume',
  async (path) => {
    const runId = await finishedRun();
    const controller = new AbortController();
    const answer = await fetch(`${server.url}${path}?types=run.finished`, {
      headers: { 'last-event-id': '0' },
      signal: controller.signal,
    });
    expect(answer.headers.get('content-type')).toMatch(/^text\/event-stream/);
    let text = '';
    for await (const chunk of answer.body ?? []) {
      text += Buffer.from(chunk).toString();
      if (text.includes(runId)) break;
    }
    controller.abort();
    expect(text).toMatch(/^event: run\.finished$/m);
  },
);

test('the health of the storage and the probes are also available', async () => {
  expect(await json(await fetch(`${server.url}/health/storage`))).toMatchObject({ ok: true, driver: 'sqlite' });
  expect((await fetch(`${server.url}/startupz`)).status).toBe(204);
});

test('the usual checks apply, and an error names the path that was requested', async () => {
  await using guarded = await startServing({ authMode: 'required' });
  for (const [method, path] of [
    ['GET', '/jobs'],
    ['POST', '/runs'],
    ['POST', '/runs/run_1:cancel'],
    ['GET', '/events'],
    ['GET', '/runs/run_1/events.ndjson'],
    ['GET', '/health/storage'],
    ['POST', '/sources/local-fs/sync'],
  ] as const) {
    const answer = await fetch(guarded.url + path, { method });
    expect([path, answer.status]).toEqual([path, 401]);
    expect(await answer.json()).toMatchObject({ instance: path });
  }
  const wrongMethod = await fetch(`${server.url}/plans`);
  expect([wrongMethod.status, wrongMethod.headers.get('allow')]).toEqual([405, 'POST']);
  for (const path of ['/run', '/runsx', '/plans/x', '/tokens', '/secrets', '//runs', '/API/v1/runs'])
    expect([path, (await fetch(server.url + path)).status]).toEqual([path, 404]);
});

describe('the source named in a request', () => {
  test.each(['/runs', '/plans'])('to %s may be the source of the job', async (path) => {
    const answer = await server.post(path, { job_id: 'quick', source: { name: 'local-fs' } });
    expect(answer.ok).toBe(true);
  });

  test.each(['/runs', '/plans'])('to %s is refused if it is another source', async (path) => {
    const answer = await server.post(path, { job_id: 'quick', source: { name: 'tools' } });
    expect([answer.status, await answer.json()]).toMatchObject([
      404,
      {
        type: 'https://flowd.org/problems/job-not-found',
        detail: "The job 'quick' is not in the source 'tools'.",
      },
    ]);
  });

  test('must have a name and no other members', async () => {
    const answer = await server.post('/runs', { job_id: 'quick', source: { nmae: 'local-fs' } });
    const { errors } = await json<{ errors: { pointer: string }[] }>(answer);
    expect([answer.status, errors.map(({ pointer }) => pointer)]).toEqual([400, ['/source/name', '/source/nmae']]);
  });
});
