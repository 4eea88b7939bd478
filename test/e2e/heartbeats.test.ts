// Heartbeats of schedules on a real server that is killed.

import { expect } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { startReceiver } from '../support/receiver.ts';
import { startServer } from '../support/server.ts';

const test = testWith('bwrap');

type Schedules = { readonly schedules: readonly { readonly id: string; readonly heartbeat: Heartbeat }[] };
type Heartbeat = { readonly last_called_at: string | null; readonly next_call_at: string | null };

test('a success of a schedule calls its heartbeat, even if the server is killed before the call', async () => {
  const receiver = await startReceiver();
  // The receiver never answers.
  receiver.answer = () => undefined;
  await using server = await startServer({
    jobs: { backup: bash('true', { schedules: [{ cron: '0 0 1 1 *', heartbeat: `${receiver.url}/file` }] }) },
  });
  const heartbeatOf = async (at: number) => (await server.json<Schedules>('/schedules')).schedules[at]?.heartbeat;
  const [{ id } = { id: '' }] = (await server.json<Schedules>('/schedules')).schedules;
  await server.fetch(`/schedules/${id}/run`, { method: 'POST' });
  await expect.poll(() => receiver.received.length).toBe(1);
  await server.stop('SIGKILL');
  receiver.answer = (response) => response.end();
  await server.startAgain();
  await expect
    .poll(() => heartbeatOf(0))
    .toMatchObject({
      last_called_at: expect.stringMatching(/^20/),
      next_call_at: null,
      last_error: null,
    });
  expect(receiver.received.map(({ path }) => path)).toEqual(['/file', '/file']);

  const create = async () => {
    const at = new Date(Date.now() + 5_000).toISOString();
    const body = { job_id: 'backup', at, heartbeat: `${receiver.url}/api` };
    return (await server.fetch('/schedules', { body })).status;
  };
  // On a busy machine, the time may have passed when the server reads the request.
  await expect.poll(create).toBe(201);
  await expect.poll(() => receiver.received.map(({ path }) => path)).toEqual(['/file', '/file', '/api']);
});
