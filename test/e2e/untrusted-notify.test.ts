// Notifications of an untrusted source's job to the server's own machine, with and without `notify.allow`.

import { join } from 'node:path';
import { expect } from 'vitest';
import type { Notification } from '../../src/domain/notification.ts';
import { createInstance } from '../cli/an-instance.ts';
import { createFolder } from '../cli/terminal.ts';
import { testWith } from '../support/host.ts';
import { bash, writeJob } from '../support/jobs.ts';
import { startReceiver } from '../support/receiver.ts';

const test = testWith('bwrap');

test.for([
  ['is not called', [], 'failed', 0],
  ['is called if `notify.allow` lists it', ['127.0.0.0/8'], 'delivered', 1],
] as const)('a receiver on the machine of the server %s', async ([, allow, status, count]) => {
  const receiver = await startReceiver();
  const dir = createFolder();
  const calls = bash('true', { notify: { on: ['success'], webhook: `${receiver.url}/hook` } });
  await writeJob(join(dir, 'ext', 'calls'), calls);
  const ext = { name: 'ext', type: 'fs', path: join(dir, 'ext'), mountPath: 'ext', trusted: false, notify: true };
  const { serve } = await createInstance({}, { sources: [ext], notify: { allow } }, dir);
  const served = await serve();
  await expect.poll(async () => (await served.fetch('/jobs/ext/calls')).status).toBe(200);
  const { run_id: id } = await served.run('ext/calls');
  await expect
    .poll(async () => (await served.json<{ notices: Notification[] }>(`/runs/${id}/notices`)).notices)
    .toMatchObject([{ status, attempts: 1 }]);
  expect(receiver.received).toHaveLength(count);
  await served.stop();
});
