// API reference, Runs › Cancel Run.

import { afterAll, expect } from 'vitest';
import type { RunAnswer } from '../support/answers.ts';
import { allFramesOf, apartFromWaits } from '../support/event-stream.ts';
import { testWith } from '../support/host.ts';
import { bash, python } from '../support/jobs.ts';
import { processesWith } from '../support/processes.ts';
import { startServer } from '../support/server.ts';
import { shows } from './shows.ts';

const test = testWith('bwrap');

/** A command that no other job or test of this machine uses, so that its processes can be found on the host. */
const nap = (seconds: string) => `sleep ${seconds}.${process.pid}s`;

const server = await startServer({
  jobs: {
    plain: bash(`echo started; ${nap('3601')}`),
    tree: bash(
      `setsid ${nap('36022')} &
       (setsid bash -c 'trap "" TERM INT HUP; while :; do ${nap('36023')}; done' &)
       nohup ${nap('36024')} > /dev/null 2>&1 &
       disown -a
       echo started
       ${nap('36025')}`,
      { cancel: { grace: '500ms' } },
    ),
    tidy: bash(`trap "echo cleaning up; exit 0" TERM\necho started\n${nap('3603')} & wait`),
    stubborn: bash(`trap "" TERM\necho started\nwhile :; do ${nap('3604')} || true; done`, {
      cancel: { grace: '500ms' },
    }),
    interrupted: python(
      'import signal, sys, time\nsignal.signal(signal.SIGINT, lambda *_: (print("got INT", flush=True), sys.exit(0)))\nprint("started", flush=True)\ntime.sleep(3605.55)',
      { cancel: { signal: 'INT', grace: '20s' } },
    ),
    daemon: bash(`setsid ${nap('3606')} & echo started`),
    quick: bash('true'),
  },
  config: { scheduler: { global_concurrency: 6 } },
});
afterAll(() => server.close());

const cancel = (runId: string) => server.fetch(`/runs/${runId}/cancel`, { method: 'POST' });

/** On a busy machine, killing the processes takes longer than the two seconds that the answer waits for it. */
async function cancelToTheEnd(runId: string): Promise<void> {
  expect(await (await cancel(runId)).json()).toEqual({
    run_id: runId,
    status: expect.stringMatching(/^(?:cancelled|running)$/),
  });
  expect(await server.finished(runId)).toMatchObject({ status: 'cancelled' });
}

async function startedRun(jobId: string): Promise<string> {
  const runId = await server.start(jobId);
  await expect.poll(() => server.messages(runId)).toContain('started');
  return runId;
}

test('cancelling a running run gives the answer of the reference, once the process has ended', async () => {
  shows('runs.cancel', 'runs.cancel.run_id', 'runs.cancel.status');
  const runId = await startedRun('plain');
  await expect.poll(() => processesWith(nap('3601'))).not.toEqual([]);
  const response = await cancel(runId);
  const left = processesWith(nap('3601'));
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ run_id: runId, status: 'cancelled' });
  expect(left).toEqual([]);
  expect(await server.json<RunAnswer>(`/runs/${runId}`)).toMatchObject({
    status: 'cancelled',
    reason: null,
    finished_at: expect.any(String),
    cancel_requested_at: expect.any(String),
    cancel_requested_by: 'local',
    termination: {
      signals: [{ signal: expect.stringMatching(/TERM/), at: expect.any(String), processes: expect.any(Number) }],
      remaining: 0,
      proven: true,
      finished_at: expect.any(String),
    },
    steps: [{ step_id: 'step_01', status: 'cancelled' }],
  });
});

test('no process of the run is left: no daemon, no orphan, no process that ignores signals', async () => {
  const runId = await startedRun('tree');
  const naps = ['36022', '36023', '36024', '36025'].map(nap);
  for (const each of naps) await expect.poll(() => processesWith(each)).not.toEqual([]);
  await cancelToTheEnd(runId);
  expect(naps.flatMap(processesWith)).toEqual([]);
  expect(await server.json<RunAnswer>(`/runs/${runId}`)).toMatchObject({ termination: { remaining: 0 } });
});

test('a script may clean up in its grace period, and what it prints is kept', async () => {
  const runId = await startedRun('tidy');
  expect(await (await cancel(runId)).json()).toMatchObject({ status: 'cancelled' });
  expect(await server.messages(runId)).toContain('cleaning up');
});

test('a script that ignores TERM is killed after its grace period', async () => {
  const runId = await startedRun('stubborn');
  await cancelToTheEnd(runId);
  expect(processesWith(nap('3604'))).toEqual([]);
  const { termination } = await server.json<RunAnswer>(`/runs/${runId}`);
  expect(termination?.signals.map(({ signal }) => signal.replace(/^SIG/, ''))).toEqual(['TERM', 'KILL']);
});

test('the signal is the one the job asks for', async () => {
  const runId = await startedRun('interrupted');
  expect((await cancel(runId)).status).toBe(200);
  expect(await server.messages(runId)).toEqual(['started', 'got INT']);
});

test('a pending run is cancelled without ever starting', async () => {
  await using small = await startServer({
    jobs: { plain: bash(nap('3607')), quick: bash('true') },
    config: { scheduler: { global_concurrency: 1 } },
  });
  const holder = await small.start('plain');
  await small.runWhen(holder, (run) => run.status === 'running');
  const waiting = await small.start('quick');
  const response = await small.fetch(`/runs/${waiting}/cancel`, { method: 'POST' });
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ run_id: waiting, status: 'cancelled' });
  expect(await small.json(`/runs/${waiting}`)).toMatchObject({ status: 'cancelled', started_at: null, waiting: null });
  expect((await small.fetch(`/runs/${holder}/cancel`, { method: 'POST' })).status).toBe(200);
});

test('a cancelled run can be cancelled again', async () => {
  const runId = await startedRun('plain');
  await cancel(runId);
  const again = await cancel(runId);
  expect(again.status).toBe(200);
  expect(await again.json()).toEqual({ run_id: runId, status: 'cancelled' });
});

test('two callers who cancel at once both get the answer cancelled', async () => {
  const runId = await startedRun('tidy');
  const answers = await Promise.all([cancel(runId), cancel(runId)]);
  expect(answers.map((answer) => answer.status)).toEqual([200, 200]);
});

test('a finished run gets 409 run-already-finished', async () => {
  const { run_id } = await server.run('quick');
  const response = await cancel(run_id);
  expect(response.status).toBe(409);
  expect(await response.json()).toMatchObject({
    type: 'https://flowd.org/problems/run-already-finished',
    title: 'Run Already Finished',
    status: 409,
    instance: `/api/v1/runs/${run_id}/cancel`,
  });
  expect(await server.json(`/runs/${run_id}`)).toMatchObject({ status: 'success' });
});

test('an unknown run gets 404 run-not-found', async () => {
  const response = await cancel('run_01HX0000000000000000000000');
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({ type: 'https://flowd.org/problems/run-not-found' });
});

test('the cancel, each signal and the end are events', async () => {
  const runId = await startedRun('plain');
  await cancel(runId);
  const frames = await allFramesOf(await server.fetch(`/events/runs?run_id=${runId}`));
  const events = apartFromWaits(frames)
    .filter(({ event }) => event !== 'run.output')
    .map(({ event, data }) => [event, data.signal]);
  expect(events).toEqual([
    ['run.created', undefined],
    ['run.started', undefined],
    ['step.started', undefined],
    ['run.cancelling', undefined],
    ['run.cancelling', 'TERM'],
    ['step.finished', undefined],
    ['run.finished', undefined],
  ]);
  expect(frames.at(-1)?.data).toMatchObject({ run_id: runId, status: 'cancelled' });
});

test('a run that ends on its own leaves no daemon behind', async () => {
  expect(await server.run('daemon')).toMatchObject({ status: 'success' });
  expect(processesWith(nap('3606'))).toEqual([]);
});
