import { expect } from 'vitest';
import type { Run } from '../../src/domain/run.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { startCollector } from '../telemetry/a-collector.ts';
import { createInstance } from './an-instance.ts';
import { flwdReading, start } from './terminal.ts';

const test = testWith('bwrap');

test('a run that a pipeline starts belongs to the trace of the pipeline', async () => {
  const { dir } = await createInstance({ hello: bash('echo "$TRACEPARENT $TRACESTATE"') });
  const trace_id = '0af7651916cd43dd8448eb211c80319c';
  const env = { TRACEPARENT: `00-${trace_id}-b7ad6b7169203331-01`, TRACESTATE: 'rojo=1' };
  const startIn = async (args: readonly string[], more: Readonly<Record<string, string>>): Promise<Run> =>
    JSON.parse((await start(dir, [...args, '--json'], more).ended).stdout);
  const run = await startIn(['run', 'hello'], env);
  expect(run.trace).toEqual({ trace_id, parent_id: 'b7ad6b7169203331', sampled: true, state: 'rojo=1' });
  expect((await startIn(['rerun', run.run_id], env)).trace).toMatchObject({ trace_id });
  expect((await startIn(['run', 'hello'], { TRACEPARENT: 'nonsense\n' })).trace).toMatchObject({ parent_id: null });
});

test('if the server is killed between a run’s end and its export, no span is lost, and doctor shows the export’s state', async () => {
  const collector = await startCollector();
  const held = Promise.withResolvers<void>();
  collector.answer = () => held.resolve();
  const telemetry = { otlp: { endpoint: `${collector.url}/`, headers: { authorization: 'Bearer 4711-otlp' } } };
  const instance = await createInstance({ hello: bash('echo hello') }, { telemetry });
  const first = start(instance.dir, ['serve']);
  const [, url] = await first.prints(/listening on (\S+)/);
  await expect.poll(async () => (await fetch(`${url}/api/v1/jobs/hello`)).status).toBe(200);
  const run = await start(instance.dir, ['run', 'hello', '--json']).ended;
  const { run_id: id }: Run = JSON.parse(run.stdout);
  await held.promise;
  first.child.kill('SIGKILL');
  await first.ended;
  const before = [...collector.seen];
  expect(before.map(({ name }) => name)).toContain('run hello');
  collector.seen.length = 0;
  collector.answer = (response) => response.end();

  const second = await instance.serve();
  await expect.poll(() => collector.seen).toEqual(before);
  expect(before[0]?.attributes['flwd.run_id']).toBe(id);
  await second.stop();
  const doctor = await start(instance.dir, ['doctor']).ended;
  expect(doctor.stdout).toMatch(new RegExp(`ok +traces +to ${collector.url}; last sent at 20`));
  const shown = await start(instance.dir, ['config', 'show']).ended;
  expect(shown.stdout).toContain(`${collector.url}/`);
  expect(`${shown.stdout}${doctor.stdout}`).not.toContain('4711');
});

test('with `logs`, the collector gets what scripts print, redacted, with the span of the attempt', async () => {
  const collector = await startCollector();
  const telemetry = { otlp: { endpoint: collector.url, logs: true } };
  const job = bash('echo "hello $TRACEPARENT"\necho "the key is $KEY" >&2', { env: { KEY: { secret: 'key' } } });
  const instance = await createInstance({ hello: job }, { telemetry });
  expect((await flwdReading(instance.dir, 'a-key-of-the-test', 'secrets', 'set', 'key')).code).toBe(0);
  const server = await instance.serve();
  const { run_id: id } = await server.run('hello');
  await expect.poll(() => collector.lines.length).toBe(2);
  await expect.poll(() => collector.seen.length).toBeGreaterThanOrEqual(3);
  await server.stop();
  const attempt = collector.seen.find(({ name }) => name === 'attempt 1');
  const span = { traceId: attempt?.traceId, spanId: attempt?.spanId };
  const lines = collector.lines.toSorted((a, b) => a.severity - b.severity);
  expect(lines).toMatchObject([
    { ...span, severity: 9, text: `hello 00-${span.traceId}-${span.spanId}-01`, attributes: { 'flwd.run_id': id } },
    { ...span, severity: 17, text: 'the key is [redacted]', attributes: { 'log.iostream': 'stderr' } },
  ]);
  expect(collector.bytes()).not.toContain('a-key-of-the-test');
  const doctor = await start(instance.dir, ['doctor']).ended;
  expect(doctor.stdout).toMatch(new RegExp(`ok +sent logs +to ${collector.url}; last sent at 20`));
});

test('the old name of the endpoint still works, and a missing secret of a header is named', async () => {
  const telemetry = {
    otlp_endpoint: 'http://127.0.0.1:4318',
    otlp: { headers: { authorization: { secret: 'otlp' } } },
  };
  const { dir } = await createInstance({}, { telemetry });
  const shown = await start(dir, ['config', 'show']).ended;
  expect(shown.stdout).toMatch(/telemetry\.otlp\.endpoint +http:\/\/127\.0\.0\.1:4318/);
  const checked = await start(dir, ['config', 'validate']).ended;
  expect(checked).toMatchObject({ code: 0, stderr: expect.stringContaining('flwd secrets set otlp') });
});

test('doctor says in one line that a secret of a header is missing, and how to store it', async () => {
  const collector = await startCollector();
  const telemetry = { otlp: { endpoint: collector.url, headers: { authorization: { secret: 'otlp' } } } };
  const instance = await createInstance({ hello: bash('echo hello') }, { telemetry });
  const server = await instance.serve();
  await server.run('hello');
  await server.stop();
  const doctor = await start(instance.dir, ['doctor']).ended;
  expect(doctor.stdout.match(/^\w+ +(traces|sent logs|collector) .*\n +→ .*$/gm)).toEqual([
    expect.stringMatching(/^warn +collector .*these secrets are not stored: otlp\n +→ flwd secrets set otlp$/),
  ]);
});

test.each([
  [{ endpoint: 'http://me:secret-4711@127.0.0.1:4318' }, 'send these in a header'],
  [{ endpoint: 'grpc://127.0.0.1:4317' }, 'telemetry.otlp.endpoint'],
  [{ headers: { 'a b': 'c' } }, 'cannot be the name of a header'],
  [{ metrics: true }, 'unknown key `metrics`'],
])('%j is refused', async (otlp, words) => {
  const { dir } = await createInstance({}, { telemetry: { otlp } });
  const checked = await start(dir, ['config', 'validate']).ended;
  expect(checked).toMatchObject({ code: 2, stderr: expect.stringContaining(words) });
});
