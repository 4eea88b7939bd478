// The trace that a run belongs to: who determines it, and what scripts see of it.

import { createHmac } from 'node:crypto';
import { afterAll, expect } from 'vitest';
import type { Run } from '../../src/domain/run.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { startServing } from './serving.ts';

const test = testWith('bwrap');

const traceId = '0af7651916cd43dd8448eb211c80319c';
const traceparent = `00-${traceId}-b7ad6b7169203331-01`;
const prints = 'flwd_result "{\\"parent\\": \\"$TRACEPARENT\\", \\"state\\": \\"${TRACESTATE-none}\\"}"';
const server = await startServing({
  executes: true,
  jobs: {
    prints: bash(prints),
    hooked: bash(prints, { webhooks: [{ name: 'any', scheme: 'hmac', secret: 'plain', args: {} }] }),
    parent: { 'config.yaml': JSON.stringify({ steps: [{ id: 'call', job: 'prints' }] }) },
    follows: bash(prints, { triggers: [{ job: 'source' }] }),
    source: bash('true'),
    flaky: bash('echo "$TRACEPARENT"; [ "$FLWD_ATTEMPT" = 2 ]', { retry: { limit: 1, delay: '10ms', on: [1] } }),
  },
});
afterAll(() => server.close());

async function runOf(id: string): Promise<Run> {
  return JSON.parse(await (await server.fetch(`/runs/${id}`)).text());
}

async function ended(id: string): Promise<Run> {
  await expect.poll(async () => (await runOf(id)).finished_at).not.toBeNull();
  return runOf(id);
}

async function start(jobId: string, headers: Readonly<Record<string, string>> = {}): Promise<Run> {
  const { run_id: id }: { run_id: string } = JSON.parse(
    await (await server.post('/runs', { job_id: jobId }, headers)).text(),
  );
  return ended(id);
}

const seen = ({ result }: Run) => result?.value;

test('a run belongs to the trace of its caller, and its script passes the trace on', async () => {
  const run = await start('prints', { traceparent, tracestate: 'rojo=1' });
  expect(run.trace).toEqual({ trace_id: traceId, parent_id: 'b7ad6b7169203331', sampled: true, state: 'rojo=1' });
  expect(seen(run)).toEqual({
    parent: expect.stringMatching(new RegExp(`^00-${traceId}-(?!b7ad6b7169203331)[0-9a-f]{16}-01$`)),
    state: 'rojo=1',
  });
});

test('the run of a caller whose trace is not sampled is not sampled either', async () => {
  const run = await start('prints', { traceparent: traceparent.replace(/01$/, '00') });
  expect(seen(run)).toMatchObject({ parent: expect.stringMatching(/-00$/), state: 'none' });
});

test('without a trace of the caller, a run has a trace of its own', async () => {
  const [one, other] = [await start('prints'), await start('prints')];
  expect(one.trace).toMatchObject({ parent_id: null, sampled: true, state: null });
  expect(one.trace.trace_id).not.toBe(other.trace.trace_id);
  expect(seen(one)).toEqual({
    parent: expect.stringMatching(new RegExp(`^00-${one.trace.trace_id}-[0-9a-f]{16}-01$`)),
    state: 'none',
  });
});

test.each([
  ['of zeros', { traceparent: `00-${'0'.repeat(32)}-${'0'.repeat(16)}-01` }],
  ['too long', { traceparent: traceparent.repeat(50) }],
  ['with something of a shell', { traceparent: `${traceparent}-$(id)` }],
  ['with bytes beyond ASCII', { traceparent: `${traceparent}\u00ff` }],
  ['alone', { tracestate: 'a=b' }],
])('an invalid traceparent, %s, is ignored, and the run starts', async (_, headers) => {
  const run = await start('prints', headers);
  expect(run).toMatchObject({ status: 'success', trace: { parent_id: null, state: null } });
  expect(seen(run)).toMatchObject({ state: 'none' });
});

test('a run belongs to the trace of the signed delivery that started it', async () => {
  await server.fetch('/secrets/plain', {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ value: 'a key' }),
  });
  const signature = createHmac('sha256', 'a key').update('{}').digest('hex');
  const answer = await server.fetch('//hooks/hooked/any', {
    method: 'POST',
    body: '{}',
    headers: { 'content-type': 'application/json', 'x-signature-256': `sha256=${signature}`, traceparent },
  });
  const { run_id: id }: { run_id: string } = JSON.parse(await answer.text());
  expect((await ended(id)).trace).toMatchObject({ trace_id: traceId, parent_id: 'b7ad6b7169203331' });
});

test('a sub-run is a child of the attempt that started it', async () => {
  const run = await start('parent', { traceparent, tracestate: 'rojo=1' });
  const child = await runOf(run.steps[0]?.child_run_id ?? '');
  expect(child.trace).toMatchObject({ trace_id: traceId, sampled: true, state: 'rojo=1' });
  expect(child.trace.parent_id).toMatch(/^[0-9a-f]{16}$/);
  expect(child.trace.parent_id).not.toBe('b7ad6b7169203331');
});

test('a rerun and a run that follows another have traces of their own', async () => {
  const run = await start('prints', { traceparent });
  const again: { run_id: string } = JSON.parse(await (await server.post(`/runs/${run.run_id}/rerun`, {})).text());
  expect((await ended(again.run_id)).trace).toMatchObject({ parent_id: null });
  const named: { run_id: string } = JSON.parse(
    await (await server.post(`/runs/${run.run_id}/rerun`, {}, { traceparent })).text(),
  );
  expect((await ended(named.run_id)).trace).toMatchObject({ trace_id: traceId });

  const source = await start('source', { traceparent });
  const following = async (): Promise<Run[]> =>
    JSON.parse(await (await server.fetch('/runs?job_id=follows')).text()).runs;
  await expect.poll(async () => (await following()).length).toBe(1);
  const [follower] = await following();
  const run2 = await ended(follower?.run_id ?? '');
  expect(run2.trigger).toMatchObject({ run_id: source.run_id });
  expect(run2.trace).toMatchObject({ parent_id: null });
});

test('each attempt of a step is a span of its own', async () => {
  const run = await start('flaky', { traceparent });
  const log = await (await server.fetch(`/runs/${run.run_id}/logs`)).text();
  const parents = new Set(log.match(/00-[0-9a-f]{32}-[0-9a-f]{16}-01/g));
  expect(parents.size).toBe(2);
  for (const parent of parents) expect(parent).toContain(traceId);
});
