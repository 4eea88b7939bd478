// A server that is killed without warning loses nothing that it has acknowledged, and completes it after the next
// start.

import { afterAll, expect } from 'vitest';
import type { RunAnswer } from '../support/answers.ts';
import { allFramesOf, apartFromWaits, type Frame } from '../support/event-stream.ts';
import { expectWithin, msOf } from '../support/goes.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { killProcessesWith, processesWith } from '../support/processes.ts';
import { startServer } from '../support/server.ts';

const test = testWith('bwrap');

// Commands that no other test on this machine uses, so that their processes can be found on the host.
const holding = `sleep 7001.${process.pid}s`;
const ignoring = `sleep 7002.${process.pid}s`;
const limited = `sleep 7003.${process.pid}s`;

const server = await startServer({
  jobs: {
    quick: bash('echo ran; flwd_result "\\"$FLWD_RUN_ID\\""; echo kept > "$FLWD_ARTIFACTS_DIR/kept.txt"'),
    hold: bash(`echo held; ${holding}`),
    stubborn: bash(`trap "" TERM; echo held; while :; do ${ignoring} || true; done`, { cancel: { grace: '5s' } }),
    limited: bash(`echo held; ${limited}`, { timeouts: { run: '8s' } }),
    counts: bash(`echo held
for ((i = 0; i < 60; i++)); do
  version=$(flwd_kv_get --version count 0)
  flwd_kv_set --if-version "$version" count "$(($(flwd_kv_get count 0) + 1))"
done
flwd_result "$(flwd_kv_get count)"`),
    hasty: bash('true', { timeouts: { queue: '500ms' } }),
  },
  config: { scheduler: { global_concurrency: 3 } },
});
afterAll(() => server.close());

async function crash(): Promise<void> {
  expect(await server.stop('SIGKILL')).toBe('SIGKILL');
}

async function heldRun(jobId: string): Promise<string> {
  const runId = await server.start(jobId);
  await expect.poll(() => server.messages(runId)).toEqual(['held']);
  return runId;
}

test('after a crash, every acknowledged run exists, has run once, and has its results', async () => {
  const acknowledged: string[] = [];
  const clients = Array.from({ length: 4 }, async () => {
    for (let sent = 0; sent < 25; sent++) {
      const response = await server.fetch('/runs', { body: { job_id: 'quick' } });
      const run: RunAnswer = JSON.parse(await response.text());
      acknowledged.push(run.run_id);
    }
  }).map((client) => client.catch(() => undefined));
  await expect.poll(() => acknowledged.length, { interval: 5 }).toBeGreaterThan(30);
  await crash();
  await Promise.all(clients);

  await server.startAgain();
  for (const runId of acknowledged) {
    expect(await server.finished(runId)).toMatchObject({
      status: 'success',
      error: null,
      attempt: 1,
      result: { value: runId },
    });
    expect(await server.messages(runId)).toEqual(['ran']);
    expect((await server.artifacts(runId)).map(({ name }) => name)).toEqual(['kept.txt']);
  }
  expect(await server.json('/health')).toMatchObject({ status: 'healthy' });
});

test('a run that survived a crash has each event exactly once', async () => {
  const runId = await heldRun('hold');
  await crash();
  await server.startAgain();
  await server.fetch(`/runs/${runId}/cancel`, { method: 'POST' });
  const frames = await allFramesOf(await server.fetch(`/events/runs?run_id=${runId}`));
  const ids = frames.map(({ id }) => Number(id));
  expect(ids).toEqual([...new Set(ids)].toSorted((a, b) => a - b));
  const isOutput = ({ event }: Frame) => event === 'run.output';
  expect(frames.filter(isOutput)).toMatchObject([{ data: { message: 'held' } }]);
  expect(
    apartFromWaits(frames)
      .filter((frame) => !isOutput(frame))
      .map(({ event }) => event),
  ).toEqual([
    'run.created',
    'run.started',
    'step.started',
    'run.cancelling',
    'run.cancelling',
    'step.finished',
    'run.finished',
  ]);
});

test('a cancel that was requested before the crash is carried out afterwards', async () => {
  const runId = await heldRun('stubborn');
  await expect.poll(() => processesWith(ignoring)).not.toEqual([]);
  const answer = server.fetch(`/runs/${runId}/cancel`, { method: 'POST' }).catch(() => undefined);
  await server.runWhen(runId, (run) => run.cancel_requested_at !== null);
  await crash();
  await answer;
  expect(processesWith(ignoring)).not.toEqual([]);
  await server.startAgain();
  expect(await server.finished(runId)).toMatchObject({ status: 'cancelled', termination: { remaining: 0 } });
  expect(processesWith(ignoring)).toEqual([]);
});

test('a deadline that passes while no server runs is enforced by the next server', async () => {
  // The 8 s timeout does not begin again after the restart.
  await expectWithin(7_000, async () => {
    const runId = await heldRun('limited');
    await expect.poll(() => processesWith(limited)).not.toEqual([]);
    const { started_at } = await server.json<RunAnswer>(`/runs/${runId}`);
    await crash();
    await expect.poll(() => Date.now() - Date.parse(started_at ?? '')).toBeGreaterThan(8_000);
    expect(processesWith(limited)).not.toEqual([]);
    await server.startAgain();
    return msOf(async () => {
      expect(await server.finished(runId)).toMatchObject({ status: 'failed', reason: 'timeout' });
      expect(processesWith(limited)).toEqual([]);
    });
  });
});

test('pending runs keep their order and their queue timeouts', async () => {
  const holders = [await heldRun('hold'), await heldRun('hold'), await heldRun('hold')];
  const waiting = [await server.start('quick'), await server.start('quick')];
  const hasty = await server.start('hasty');
  await crash();
  await server.startAgain();
  expect(await server.finished(hasty)).toMatchObject({ status: 'failed', reason: 'timeout', started_at: null });
  expect(await server.json(`/runs/${waiting[0]}`)).toMatchObject({ status: 'pending' });
  for (const runId of holders) await server.fetch(`/runs/${runId}/cancel`, { method: 'POST' });
  const [first, second] = [await server.finished(waiting[0] ?? ''), await server.finished(waiting[1] ?? '')];
  expect([first, second]).toMatchObject([{ status: 'success' }, { status: 'success' }]);
  expect(String(first.started_at) <= String(second.started_at)).toBe(true);
});

test('a run whose shim was also killed ends as lost, and says so', async () => {
  const runId = await heldRun('hold');
  await crash();
  killProcessesWith(runId);
  await expect.poll(() => processesWith(holding)).toEqual([]);
  await server.startAgain();
  expect(await server.finished(runId)).toMatchObject({
    status: 'failed',
    reason: 'lost',
    error: { message: expect.stringMatching(/./), step_id: 'step_01' },
  });
  expect(await server.messages(runId)).toEqual(['held']);
});

test('each change of a script to the key-value store is made once, however the server is killed', async () => {
  const runId = await heldRun('counts');
  type Keys = { readonly keys: readonly { readonly version: number }[] };
  for (const least of [5, 20, 35]) {
    await expect.poll(async () => (await server.json<Keys>('/kv/counts')).keys[0]?.version ?? 0).toBeGreaterThan(least);
    await crash();
    await server.startAgain();
  }
  expect(await server.finished(runId)).toMatchObject({ status: 'success', result: { value: 60 } });
  expect(await server.messages(runId)).toEqual(['held']);
});
