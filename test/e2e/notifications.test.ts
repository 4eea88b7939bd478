// Notifications of a real server: they survive a SIGKILL, and jobs and callers see neither the key nor the address.

import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, vi } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { answerWith, startReceiver } from '../support/receiver.ts';
import { startServer } from '../support/server.ts';

const test = testWith('bwrap');

test('a notification that a SIGKILL cut short is delivered after the restart, signed with the key in the data dir', async () => {
  const receiver = await startReceiver();
  receiver.answer = () => undefined;
  const server = await startServer({
    jobs: { failing: bash('exit 3', { notify: { webhook: `${receiver.url}/T0KEN` } }), quiet: bash('exit 3') },
  });
  onTestFinished(() => server.close());
  await server.run('quiet');
  const run = await server.run('failing');
  await vi.waitFor(() => expect(receiver.received).toHaveLength(1), { timeout: 60_000 });
  await server.stop('SIGKILL');
  receiver.answer = answerWith(200);
  await server.startAgain();

  const text = await vi.waitFor(
    async () => {
      const answer = await (await server.fetch(`/runs/${run.run_id}/notices`)).text();
      expect(JSON.parse(answer)).toMatchObject({
        notices: [{ status: 'delivered', origin: receiver.url, attempts: 1, last_error: null, next_attempt_at: null }],
      });
      return answer;
    },
    { timeout: 60_000 },
  );
  expect(text).not.toContain('T0KEN');
  const [first, second] = receiver.received;
  expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
  expect(JSON.parse(second?.body ?? '')).toMatchObject({
    type: 'run.finished',
    data: { run_id: run.run_id, job_id: 'failing', status: 'failed', reason: 'exit', exit_code: 3 },
  });
  const key = (await readFile(join(server.dataDir, 'notify.key'), 'utf8')).trim().replace('whsec_', '');
  const { 'webhook-id': id, 'webhook-timestamp': seconds } = second?.headers ?? {};
  const signed = createHmac('sha256', Buffer.from(key, 'base64')).update(`${id}.${seconds}.${second?.body}`);
  expect(second?.headers['webhook-signature']).toBe(`v1,${signed.digest('base64')}`);
  expect(server.stderr).not.toContain('T0KEN');
});

test('an unknown run is answered with 404, a run without notifications with an empty list', async () => {
  const server = await startServer({ jobs: { quiet: bash('exit 3') } });
  onTestFinished(() => server.close());
  const run = await server.run('quiet');
  expect(await server.json(`/runs/${run.run_id}/notices`)).toEqual({ notices: [] });
  const unknown = await server.fetch('/runs/run_00000000000000000000000000/notices');
  expect([unknown.status, await unknown.json()]).toMatchObject([
    404,
    { type: 'https://flowd.org/problems/run-not-found' },
  ]);
});
