import type { ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { aRun } from '../store/a-run.ts';
import { moveRun } from '../store/moves.ts';
import { type CollectorOfTest, startCollector } from './a-collector.ts';
import { dataFolder, openExport, startMs } from './an-export.ts';

const day = 86_400_000;
const runSpans = ({ seen }: CollectorOfTest) => seen.filter(({ name }) => name.startsWith('run '));
const runIds = (collector: CollectorOfTest) => runSpans(collector).map(({ attributes }) => attributes['flwd.run_id']);

test('a run becomes spans for its wait, its steps and their attempts, without anything secret', async () => {
  const collector = await startCollector();
  const { end } = await openExport(dataFolder(), { endpoint: `${collector.url}/otlp/` });
  const args = { target: 'a-target-of-the-test' };
  const parent = { trace_id: '0af7651916cd43dd8448eb211c80319c', parent_id: 'b7ad6b7169203331', sampled: true };
  const traceParent = { ...parent, state: 'rojo=1' };
  const id = await end(
    'fail',
    { args, traceParent, labels: { of: 'a-label-of-the-test' } },
    { reason: 'exit', exitCode: 3 },
  );
  await expect.poll(() => collector.seen.length).toBe(4);

  const [run, queue, step, attempt] = collector.seen;
  const common = { traceId: parent.trace_id, state: 'rojo=1', links: [] };
  const failed = { 'flwd.run_id': id, 'flwd.status': 'failed', 'flwd.reason': 'exit', 'flwd.exit_code': 3 };
  expect(run).toMatchObject({
    ...common,
    parentId: parent.parent_id,
    name: 'run backup/daily',
    fromMs: startMs,
    toMs: startMs + 2_500,
    status: { code: 2, message: 'exit' },
    attributes: {
      ...failed,
      'flwd.job_id': 'backup/daily',
      'flwd.tenant': 'default',
      'flwd.revision': 'sha256:abc',
      'flwd.trigger': 'api',
    },
  });
  expect(queue).toMatchObject({
    ...common,
    parentId: run?.spanId,
    name: 'queue',
    fromMs: startMs,
    toMs: startMs + 1_000,
    status: { code: 0 },
    attributes: { 'flwd.run_id': id },
  });
  expect(step).toMatchObject({ ...common, parentId: run?.spanId, name: 'step step_01', attributes: failed });
  expect(attempt).toMatchObject({
    ...common,
    parentId: step?.spanId,
    name: 'attempt 1',
    fromMs: startMs + 1_000,
    toMs: startMs + 2_500,
    attributes: { ...failed, 'flwd.step_id': 'step_01', 'flwd.attempt': 1 },
  });
  expect(new Set(collector.seen.map(({ spanId }) => spanId)).size).toBe(4);
  expect(collector.resources).toEqual([
    { 'service.name': 'flwd', 'service.version': '1.2.3', 'service.instance.id': 'of-a-test' },
  ]);
  expect(collector.requests).toMatchObject([
    { path: '/otlp/v1/traces', headers: { 'content-type': 'application/x-protobuf', 'user-agent': 'flwd/1.2.3' } },
  ]);
  for (const secret of ['of-the-test', 'Daily backup', 'local']) expect(collector.bytes()).not.toContain(secret);
});

test('a run whose caller does not sample its trace is not sent', async () => {
  const collector = await startCollector();
  const { end } = await openExport(dataFolder(), { endpoint: collector.url });
  const of = { trace_id: '0af7651916cd43dd8448eb211c80319c', parent_id: 'b7ad6b7169203331', state: null };
  await end('succeed', { traceParent: { ...of, sampled: false } });
  const sampled = await end();
  await expect.poll(() => runIds(collector)).toEqual([sampled]);
});

test('a rerun, and a run that the end of another run started, are linked to the run before', async () => {
  const collector = await startCollector();
  const { end } = await openExport(dataFolder(), { endpoint: collector.url });
  const first = await end();
  const rerun = await end('succeed', { rerunOf: first, trigger: { type: 'rerun' } });
  const next = await end('succeed', { trigger: { type: 'job_ended', trigger_id: 't', run_id: first, chain: 1 } });
  const orphan = await end('succeed', { rerunOf: 'run_that_is_gone' });
  await expect.poll(() => runIds(collector)).toEqual([first, rerun, next, orphan]);
  const [before, ...others] = runSpans(collector);
  const link = { traceId: before?.traceId, spanId: before?.spanId };
  expect(others.map(({ links }) => links)).toEqual([[link], [link], []]);
  expect(new Set(runSpans(collector).map(({ traceId }) => traceId)).size).toBe(4);
});

test('while the collector is down no span is lost, and the log says so once', async () => {
  // The kernel assigns no port above 60999 to connections or to other servers.
  const port = 61_000 + (process.pid % 4_000);
  const { end, messages, store } = await openExport(dataFolder(), { endpoint: `http://127.0.0.1:${port}` });
  const first = await end();
  await expect
    .poll(async () => (await store.exports.state('traces'))?.error)
    .toBe('it cannot be reached (ECONNREFUSED)');
  const second = await end();
  const again = await startCollector(port);
  await expect.poll(() => runIds(again)).toEqual([first, second]);
  await expect.poll(async () => (await store.exports.state('traces'))?.error).toBeNull();
  expect(messages()).toEqual(['spans cannot be sent; flwd tries again for a day', 'spans reach the collector again']);
});

test.each([
  ['429', 429, { 'retry-after': '2' }, 1_900],
  ['503', 503, {}, 900],
  ['401', 401, {}, 900],
])('after the answer %s the same spans are sent later', async (_, status, headers, atLeastMs) => {
  const collector = await startCollector();
  const times: number[] = [];
  collector.answer = (response) => {
    times.push(performance.now());
    if (times.length === 1) response.writeHead(status, headers).end('an answer');
    else response.end();
  };
  const { end, store } = await openExport(dataFolder(), { endpoint: collector.url });
  const id = await end();
  await expect.poll(() => runIds(collector)).toEqual([id, id]);
  expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(atLeastMs);
  const [one, other] = runSpans(collector);
  expect(other).toEqual(one);
  await expect.poll(async () => (await store.exports.state('traces'))?.error).toBeNull();
});

test('when a collector answers too late the spans are sent again, and the late answer is ignored', async () => {
  const collector = await startCollector();
  const held: ServerResponse[] = [];
  collector.answer = (response) => {
    held.push(response);
    collector.answer = (later) => later.end();
  };
  const { end, messages } = await openExport(dataFolder(), { endpoint: collector.url }, { timeoutMs: 200 });
  const id = await end();
  await expect
    .poll(messages)
    .toEqual(['spans cannot be sent; flwd tries again for a day', 'spans reach the collector again']);
  const ids = runIds(collector);
  // On a busy machine, the second answer may come too late as well.
  expect(ids.length).toBeGreaterThan(1);
  expect(new Set(ids)).toEqual(new Set([id]));
  held[0]?.end();
});

test.each([400, 413])(
  'after the answer %i each half of the spans is sent alone, and only the refused half is dropped',
  async (status) => {
    const collector = await startCollector();
    collector.answer = (response) => response.writeHead(503).end();
    const { end, messages } = await openExport(dataFolder(), { endpoint: collector.url });
    const [bad, good] = [await end(), await end()];
    await expect.poll(() => collector.requests.length).toBeGreaterThan(0);
    const taken: unknown[] = [];
    collector.seen.length = 0;
    collector.answer = (response) => {
      const ids = runIds(collector);
      collector.seen.length = 0;
      if (ids.includes(bad)) response.writeHead(status).end();
      else {
        taken.push(...ids);
        response.end();
      }
    };
    await expect.poll(() => taken).toEqual([good]);
    expect(messages().filter((message) => message.includes('are dropped'))).toHaveLength(1);
  },
);

test('spans that the collector refuses are dropped, and the log says so once', async () => {
  const collector = await startCollector();
  collector.answer = (response) => response.writeHead(422).end();
  const { end, messages, store } = await openExport(dataFolder(), { endpoint: collector.url });
  const [first, second] = [await end(), await end()];
  await expect.poll(() => runIds(collector)).toEqual([first, second]);
  await expect.poll(async () => (await store.exports.state('traces'))?.error).toBe('the answer was 422');
  const third = await end();
  await expect.poll(() => runIds(collector)).toEqual([first, second, third]);
  expect(messages()).toEqual(['the collector refused spans, which are dropped: see its log']);
  collector.answer = (response) => response.end();
  const fourth = await end();
  await expect.poll(() => runIds(collector)).toEqual([first, second, third, fourth]);
});

test('spans of runs that ended more than a day ago are dropped, and the log says so once', async () => {
  const collector = await startCollector();
  collector.answer = (response) => response.writeHead(503).end();
  const { end, messages, time } = await openExport(dataFolder(), { endpoint: collector.url });
  await end();
  await end();
  await expect.poll(() => collector.requests.length).toBeGreaterThan(0);
  time.nowMs += day + 10_000;
  collector.seen.length = 0;
  collector.answer = (response) => response.end();
  const fresh = await end();
  await expect.poll(() => runIds(collector)).toEqual([fresh]);
  expect(messages().filter((message) => message.includes('are dropped'))).toHaveLength(1);
});

test.each([
  [
    'after the collector failed',
    (response: ServerResponse) => void response.writeHead(503).end(),
    'the answer was 503',
  ],
  ['while the first request had no answer', () => undefined, null],
] as const)('an export that stopped %s continues where it was after a restart', async (_, answer, error) => {
  const dir = dataFolder();
  const collector = await startCollector();
  collector.answer = answer;
  const one = await openExport(dir, { endpoint: collector.url });
  const first = await one.end();
  await expect.poll(() => collector.requests.length).toBeGreaterThan(0);
  await expect.poll(() => one.store.exports.state('traces')).toMatchObject({ sentAtMs: null, error });
  await one.close();
  const before = runSpans(collector)[0];
  collector.seen.length = 0;
  collector.answer = (response) => response.end();
  const two = await openExport(dir, { endpoint: collector.url });
  await expect.poll(() => runIds(collector)).toEqual([first]);
  expect(runSpans(collector)[0]).toEqual(before);
  await expect.poll(() => two.store.exports.state('traces')).toMatchObject({ sentAtMs: startMs, error: null });
  await two.close();
  const three = await openExport(dir, { endpoint: collector.url });
  const last = await three.end();
  await expect.poll(() => runIds(collector)).toEqual([first, last]);
});

test('headers may be stored secrets, even secrets that are stored only later', async () => {
  const collector = await startCollector();
  const secrets: Record<string, string> = {};
  const headers = { authorization: { secret: 'otlp' }, 'x-team': 'ops' };
  const { end, store } = await openExport(dataFolder(), { endpoint: collector.url, headers }, { secrets });
  const id = await end();
  await expect.poll(async () => (await store.exports.state('traces'))?.error).toContain('is not stored');
  secrets.otlp = 'Bearer an-otlp-token\n';
  await expect.poll(() => runIds(collector)).toEqual([id]);
  expect(collector.requests).toMatchObject([{ headers: { authorization: 'Bearer an-otlp-token', 'x-team': 'ops' } }]);
  expect(JSON.stringify(await store.exports.state('traces'))).not.toContain('an-otlp-token');
});

test('many runs are sent in several requests, and each run is sent once', async () => {
  const collector = await startCollector();
  const { end } = await openExport(dataFolder(), { endpoint: collector.url });
  const ids: string[] = [];
  for (let n = 0; n < 300; n += 1) ids.push(await end());
  await expect.poll(() => runIds(collector).length).toBe(300);
  expect(runIds(collector)).toEqual(ids);
  expect(new Set(collector.seen.map(({ spanId }) => spanId)).size).toBe(1_200);
});

test('a run with more steps than fit into a request is sent as a whole', async () => {
  const collector = await startCollector();
  const { end, store } = await openExport(dataFolder(), { endpoint: collector.url });
  const steps = Array.from({ length: 700 }, (_, n) => ({
    step_id: n === 0 ? 'step_01' : `each[${n}]`,
    n: n + 1,
    name: 'each',
    kind: 'command' as const,
    needs: [],
  }));
  const run = aRun({ createdAtMs: startMs, steps });
  const times = { started_at: startMs + 1, finished_at: startMs + 2 };
  await store.db.transact(async (tx) => {
    await store.runs.add(tx, run);
    await moveRun(tx, store.runs, run.id, 'claim', { atMs: startMs });
    await tx.db.updateTable('steps').set(times).where('step_id', '!=', 'step_01').execute();
    await moveRun(tx, store.runs, run.id, 'succeed', { atMs: startMs + 3 });
  });
  await expect.poll(() => collector.seen.length).toBe(1 + 2 * steps.length);
  expect(new Set(collector.seen.map(({ spanId }) => spanId)).size).toBe(1 + 2 * steps.length);
  expect(collector.requests).toHaveLength(8);
  const after = await end();
  await expect.poll(() => runIds(collector)).toEqual([run.id, after]);
});
