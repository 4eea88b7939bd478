// `flwd webhooks` against a real server, and what a backup keeps of deliveries.

import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { expect } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { createFolder, flwd } from './terminal.ts';

const key = 'a key of the test';
const pin = 'pin-4711-of-the-body';
const jobs = {
  'site/deploy': bash('echo "deploys $FLWD_ARG_REF with $(wc -c < "$FLWD_SECRETS_DIR/pin") bytes"', {
    args: [
      { name: 'ref', required: true },
      { name: 'pin', format: 'secret' },
    ],
    webhooks: [
      {
        name: 'push',
        scheme: 'hmac',
        secret: 'hook-key',
        if: 'body.ref != "no"',
        args: { ref: 'body.ref', pin: 'body.pin' },
      },
    ],
  }),
};

const send = async (url: string, value: object): Promise<{ status: number; run_id?: string; duplicate?: boolean }> => {
  const body = JSON.stringify(value);
  const signature = `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;
  const headers = { 'content-type': 'application/json', 'x-signature-256': signature };
  const answer = await fetch(`${url}/hooks/site/deploy/push`, { method: 'POST', body, headers });
  return { status: answer.status, ...JSON.parse(await answer.text()) };
};

testWith('bwrap')(
  'a delivery is listed and replayed, and is known after a backup and a restore elsewhere',
  { timeout: 120_000 },
  async () => {
    const instance = await createInstance(jobs);
    const server = await instance.serve();
    const { dir } = instance;
    const body = JSON.stringify({ value: key });
    await server.fetch('/secrets/hook-key', { method: 'PUT', body, headers: { 'content-type': 'application/json' } });
    expect((await flwd(dir, 'webhooks')).stdout).toMatch(/\/hooks\/site\/deploy\/push +hmac +body\.ref != "no" +-\n/);

    const first = await send(server.url, { ref: 'main', pin });
    expect(first.status).toBe(202);
    await server.finished(first.run_id ?? '');
    expect(await send(server.url, { ref: 'no' })).toMatchObject({ status: 200 });
    const listed = await flwd(dir, 'webhooks', 'deliveries', 'site/deploy/push');
    expect(listed).toMatchObject({ code: 0, stderr: '' });
    const [, skipped = '', started = ''] = listed.stdout.split('\n');
    expect(skipped).toMatch(/^delivery_\w+ +skipped /);
    expect(started).toMatch(/^delivery_\w+ +started .*\{"ref":"main","pin":"\[redacted\]"\}/);
    const [id = ''] = started.split(' ');

    // An argument is a secret, so the run itself is run again.
    const hook = `${server.url}/hooks/site/deploy/push`;
    const replayed = await flwd(dir, 'webhooks', 'replay', hook, id);
    expect(replayed).toMatchObject({ code: 0, stdout: `deploys main with ${pin.length} bytes\n` });
    expect(await flwd(dir, 'webhooks', 'replay', 'site/deploy/push', 'delivery_0')).toMatchObject({ code: 3 });
    expect(await flwd(dir, 'webhooks', 'deliveries', 'site/deploy/pull')).toMatchObject({ code: 3 });
    expect(await flwd(dir, 'webhooks', 'replay', 'site/deploy/push')).toMatchObject({ code: 2 });

    const dest = join(createFolder(), 'backup');
    expect(await flwd(dir, 'backup', dest, '--include-key')).toMatchObject({ code: 0 });
    await server.stop();
    const other = await createInstance(jobs);
    expect(await flwd(other.dir, 'restore', dest)).toMatchObject({ code: 0 });
    const again = await other.serve();
    expect(await send(again.url, { ref: 'main', pin })).toMatchObject({
      status: 200,
      duplicate: true,
      run_id: first.run_id,
    });
    expect((await flwd(other.dir, 'webhooks', 'deliveries', 'site/deploy/push')).stdout).toContain('came again: 1');
    await again.stop();
  },
);
