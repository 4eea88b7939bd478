import { expect, test } from 'vitest';
import { attemptSpanId } from '../../src/store/run/span-ids.ts';
import { type CollectorOfTest, startCollector } from './a-collector.ts';
import { dataFolder, openExport } from './an-export.ts';

const signals = ['logs'] as const;
const texts = ({ lines }: CollectorOfTest) => lines.map(({ text }) => text);
const numbered = (from: number, to: number): readonly string[] =>
  Array.from({ length: to - from + 1 }, (_, n) => `line ${from + n}`);
const asText = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

test('a line becomes a log record that names the span of its attempt', async () => {
  const collector = await startCollector();
  const { end, print } = await openExport(dataFolder(), { endpoint: `${collector.url}/v1/traces` }, { signals });
  const trace_id = '0af7651916cd43dd8448eb211c80319c';
  const id = await end('fail', {
    traceParent: { trace_id, parent_id: 'b7ad6b7169203331', sampled: false, state: null },
  });
  await print(id, '{"level":"warn","message":"disk nearly full","percent":93,"of":{"disk":"sda"}}\n', {
    stepId: 'copy',
    attempt: 2,
  });
  await print(id, '\u001eEcopied 3 of 4 files\n');
  await expect.poll(() => collector.lines.length).toBe(2);

  const common = { traceId: trace_id, atUs: expect.any(Number) };
  const about = { 'flwd.run_id': id, 'flwd.job_id': 'backup/daily', 'flwd.tenant': 'default' };
  expect(collector.lines).toEqual([
    {
      ...common,
      severity: 13,
      level: 'warn',
      text: 'disk nearly full',
      spanId: attemptSpanId(id, 'copy', 2),
      attributes: {
        ...about,
        'flwd.step_id': 'copy',
        'flwd.attempt': 2,
        'log.iostream': 'stdout',
        'flwd.fields': { percent: 93, of: { disk: 'sda' } },
      },
    },
    {
      ...common,
      severity: 17,
      level: 'error',
      text: 'copied 3 of 4 files',
      spanId: attemptSpanId(id, 'step_01', 1),
      attributes: { ...about, 'flwd.step_id': 'step_01', 'flwd.attempt': 1, 'log.iostream': 'stderr' },
    },
  ]);
  expect(collector.requests[0]).toMatchObject({
    path: '/v1/logs',
    headers: { 'content-type': 'application/x-protobuf' },
  });
  expect(collector.resources[0]).toMatchObject({ 'service.name': 'flwd', 'service.instance.id': 'of-a-test' });
  expect(collector.seen).toEqual([]);
});

test('the lines of two runs are sent once and in order, and many lines take several requests', async () => {
  const collector = await startCollector();
  const { end, print } = await openExport(dataFolder(), { endpoint: collector.url }, { signals });
  const [one, other] = [await end(), await end()];
  await print(one, asText(numbered(1, 1_300)));
  for (const line of numbered(1, 20)) await print(other, `${line}\n`, { type: 'step.output' });
  await print(one, asText(numbered(1_301, 1_310)));
  await expect.poll(() => collector.lines.length).toBe(1_330);
  const of = (id: string) =>
    collector.lines.filter(({ attributes }) => attributes['flwd.run_id'] === id).map(({ text }) => text);
  expect(of(one)).toEqual(numbered(1, 1_310));
  expect(of(other)).toEqual(numbered(1, 20));
  expect(collector.requests.length).toBeGreaterThanOrEqual(3);
});

test('long lines are sent in requests of about a mebibyte', async () => {
  const collector = await startCollector();
  const { end, print } = await openExport(dataFolder(), { endpoint: collector.url }, { signals });
  const lines = Array.from({ length: 60 }, (_, n) => `${n} ${'x'.repeat(60_000)}`);
  await print(await end(), asText(lines));
  await expect.poll(() => collector.lines.length).toBe(60);
  expect(texts(collector)).toEqual(lines);
  const sizes = collector.requests.map(({ headers }) => Number(headers['content-length']));
  expect(Math.max(...sizes)).toBeLessThan(2 ** 20 + 100_000);
  expect(sizes.length).toBeGreaterThanOrEqual(4);
});

test('after a stop in the middle of an entry, the export continues with the first line that was not accepted', async () => {
  const dir = dataFolder();
  const collector = await startCollector();
  const one = await openExport(dir, { endpoint: collector.url }, { signals });
  let requests = 0;
  collector.answer = (response) => {
    requests += 1;
    response.writeHead(requests === 1 ? 200 : 503).end();
  };
  await one.print(await one.end(), asText(numbered(1, 1_200)), { type: 'step.output' });
  await expect.poll(() => requests).toBeGreaterThan(1);
  await one.close();
  expect(texts(collector).slice(0, 500)).toEqual(numbered(1, 500));
  collector.lines.length = 0;
  collector.answer = (response) => response.end();
  const two = await openExport(dir, { endpoint: collector.url }, { signals });
  await expect.poll(() => collector.lines.length).toBe(700);
  expect(texts(collector)).toEqual(numbered(501, 1_200));
  await expect.poll(async () => (await two.store.exports.state('logs'))?.error).toBeNull();
});

test('lines older than a day are dropped, the log says so once, and removed runs do not delay the export', async () => {
  const collector = await startCollector();
  collector.answer = (response) => response.writeHead(503).end();
  const { end, print, messages, time, store } = await openExport(
    dataFolder(),
    { endpoint: collector.url },
    { signals },
  );
  const id = await end();
  await print(id, 'old\n');
  await expect.poll(() => collector.requests.length).toBeGreaterThan(0);
  time.nowMs += 86_400_000 + 10_000;
  collector.lines.length = 0;
  collector.answer = (response) => response.end();
  const removed = await end();
  await print(removed, 'of a removed run\n');
  await store.logs.removeFiles([removed]);
  await store.db.transact(async (tx) => {
    await tx.db.deleteFrom('log_segments').where('run_id', '=', removed).execute();
    await tx.db.deleteFrom('runs').where('id', '=', removed).execute();
  });
  await print(id, 'new\n');
  await expect.poll(() => texts(collector)).toEqual(['new']);
  await expect
    .poll(messages)
    .toEqual([
      'log lines cannot be sent; flwd tries again for a day',
      'log lines that were printed more than a day ago are dropped',
      'log lines reach the collector again',
    ]);
});

test('a collector that refuses spans still gets the lines', async () => {
  const collector = await startCollector();
  collector.answer = (response) => {
    const path = collector.requests.at(-1)?.path;
    response.writeHead(path === '/v1/traces' ? 503 : 200).end();
  };
  const { end, print, store } = await openExport(
    dataFolder(),
    { endpoint: collector.url },
    { signals: ['traces', 'logs'] },
  );
  await print(await end(), 'hello\n');
  await expect.poll(() => texts(collector)).toEqual(['hello']);
  await expect.poll(async () => (await store.exports.state('traces'))?.error).toBe('the answer was 503');
  expect((await store.exports.state('logs'))?.error).toBeNull();
});

test('lines that many runs print in turn are read once each, and not again for every line', async () => {
  const collector = await startCollector();
  let isUp = false;
  let [read, readForSent] = [0, 0];
  collector.answer = (response) => {
    if (isUp) readForSent += read;
    read = 0;
    response.writeHead(isUp ? 200 : 503).end();
  };
  const { end, print, store } = await openExport(dataFolder(), { endpoint: collector.url }, { signals });
  const { next } = store.logs;
  Object.assign(store.logs, {
    async next(...given: Parameters<typeof next>) {
      const batch = await next(...given);
      read += batch?.lines().length ?? 0;
      return batch;
    },
  });
  const ids: string[] = [];
  for (let n = 0; n < 12; n++) ids.push(await end());
  for (const line of numbered(1, 10)) for (const id of ids) await print(id, `${line}\n`, { goesOn: true });
  collector.lines.length = 0;
  isUp = true;
  await expect.poll(() => collector.lines.length).toBe(120);
  // A request may have been read before the last lines were printed.
  expect(readForSent).toBeGreaterThanOrEqual(120);
  expect(readForSent).toBeLessThanOrEqual(2 * 120);
});
