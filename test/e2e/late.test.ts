// Late runs on a real server that is killed.

import { expect } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { startReceiver } from '../support/receiver.ts';
import { startServer } from '../support/server.ts';

const test = testWith('bwrap');

test('a late run is reported once, even if the server is killed before the receiver has answered', async () => {
  const receiver = await startReceiver();
  // The receiver never answers.
  receiver.answer = () => undefined;
  const expectation = { expect: { duration: '1s' }, notify: { webhook: `${receiver.url}/late`, on: ['late'] } };
  await using server = await startServer({ jobs: { load: bash('sleep 300', expectation) } });
  const runId = await server.start('load');
  await expect.poll(() => receiver.received.length).toBe(1);
  await server.stop('SIGKILL');
  receiver.answer = (response) => response.end();
  await server.startAgain();
  await expect.poll(() => receiver.received.length).toBe(2);
  const ids = receiver.received.map(({ headers }) => headers['webhook-id']);
  expect(ids[1]).toBe(ids[0]);
  expect(JSON.parse(receiver.received[1]?.body ?? '')).toMatchObject({
    type: 'job.late',
    data: {
      run_id: runId,
      event: 'late',
      status: 'running',
      detail: expect.stringMatching(/after 1s of work, which is the most it should take\.$/),
    },
  });
  const { late } = await server.json<{ late: unknown[] }>('/late');
  expect(late).toMatchObject([{ job_id: 'load', kind: 'duration', run_id: runId, over_at: null }]);
  await server.fetch(`/runs/${runId}/cancel?force=true`, { method: 'POST' });
  await expect.poll(async () => (await server.json<{ late: unknown[] }>('/late')).late).toEqual([]);
  expect(receiver.received).toHaveLength(2);
});
