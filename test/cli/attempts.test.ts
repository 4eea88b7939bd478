// What the command line prints about a retried job without steps.

import { expect, test } from 'vitest';
import { steps } from '../engine/step-jobs.ts';
import { bash } from '../support/jobs.ts';
import { startReceiver } from '../support/receiver.ts';
import { createInstance } from './an-instance.ts';
import { flwd } from './terminal.ts';

test('a retried run shows its number of attempts beside its error, and a separator line on stderr marks each attempt', async () => {
  const receiver = await startReceiver();
  const channels = { team: { type: 'ntfy', url: `${receiver.url}/topic` } };
  const notify = [{ on: ['failed'], channel: 'team' }];
  const { dir, serve } = await createInstance(
    { flaky: bash('echo out; echo err >&2; exit 3', { retry: { limit: 2, delay: '1s' }, notify }) },
    { notify: { channels } },
  );
  const server = await serve();
  const ran = await flwd(dir, 'run', 'flaky');
  expect(ran).toMatchObject({ code: 1, stdout: 'out\nout\nout\n' });
  const separated = /^err\n── attempt 2 ──\nerr\n── attempt 3 ──\nerr\n/;
  expect(ran.stderr).toMatch(separated);

  const { runs } = await server.json<{ runs: { run_id: string }[] }>('/runs');
  const runId = String(runs[0]?.run_id);
  const logs = await flwd(dir, 'logs', runId);
  expect(logs.stdout.split('\n').toSorted().join(' ')).toBe(' err err err out out out');
  expect(logs.stderr).toBe('── attempt 2 ──\n── attempt 3 ──\n');
  expect((await flwd(dir, 'logs', runId, '--json')).stderr).toBe('');
  expect((await flwd(dir, 'runs', runId)).stdout).toMatch(/^error .*exit.* 3.* \(after 3 attempts\)$/m);
  await expect.poll(() => receiver.received).toHaveLength(1);
  expect(JSON.parse(String(receiver.received[0]?.body))).toMatchObject({
    message: expect.stringMatching(/^3 attempts\. .*exit.* 3/i),
  });
  await server.stop();
});

test('while a run waits for its next attempt, flwd runs says when that starts', async () => {
  const retry = { limit: 1, delay: '1h' };
  const two = [
    { id: 'fails', command: ['false'], retry },
    { id: 'works', command: ['true'] },
  ];
  const { dir, serve } = await createInstance({ flaky: bash('exit 3', { retry }), several: steps({ steps: two }) });
  const server = await serve();
  for (const [job, line] of [
    ['flaky', /^waiting +attempt 2 starts \d{4}-/m],
    ['several', /^fails +pending +2 .*attempt 2 starts \d{4}-/m],
  ] as const) {
    const runId = await server.start(job);
    await expect.poll(async () => (await flwd(dir, 'runs', runId)).stdout).toMatch(line);
    expect((await flwd(dir, 'cancel', runId)).code).toBe(0);
  }
  await server.stop();
});
