// Notifications of an untrusted source's job to the server's own machine, with and without `notify.allow`.

import { join } from 'node:path';
import { expect } from 'vitest';
import type { Notification } from '../../src/domain/notification.ts';
import { createInstance } from '../cli/an-instance.ts';
import { createFolder, flwd } from '../cli/terminal.ts';
import { testWith } from '../support/host.ts';
import { bash, writeJob } from '../support/jobs.ts';
import { startReceiver } from '../support/receiver.ts';

const test = testWith('bwrap');

test('for an untrusted job, a receiver on the server’s machine is called only if `notify.allow` lists it', async () => {
  const receiver = await startReceiver();
  const dir = createFolder();
  const calls = bash('true', { notify: { on: ['success'], webhook: `${receiver.url}/hook` } });
  await writeJob(join(dir, 'ext', 'calls'), calls);
  const ext = { name: 'ext', type: 'fs', path: join(dir, 'ext'), mountPath: 'ext', trusted: false, notify: true };

  async function endWith(allow: readonly string[], status: Notification['status']): Promise<string> {
    const { serve } = await createInstance({}, { sources: [ext], notify: { allow } }, dir);
    const served = await serve();
    await expect.poll(async () => (await served.fetch('/jobs/ext/calls')).status).toBe(200);
    const { run_id: id } = await served.run('ext/calls');
    await expect
      .poll(async () => (await served.json<{ notices: Notification[] }>(`/runs/${id}/notices`)).notices)
      .toMatchObject([{ status, attempts: 1 }]);
    const { stdout } = await flwd(dir, 'doctor');
    await served.stop();
    return stdout;
  }

  const why = 'not called, because a job of an untrusted source may not reach the address';
  expect(await endWith([], 'failed')).toMatch(
    new RegExp(`^warn +notifications +${why}: ${receiver.url} for ext/calls\n +→ .*add its host to notify.allow`, 'm'),
  );
  expect(receiver.received).toEqual([]);
  expect(await endWith(['127.0.0.0/8'], 'delivered')).not.toContain('notifications');
  expect(receiver.received).toHaveLength(1);
});
