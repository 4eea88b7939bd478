// `flwd webhooks` against a real server, and what a backup keeps of webhooks and deliveries.

import { createHmac } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
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

test('flwd webhooks add and schedules add say how to give a required argument that is missing', async () => {
  const argspec = {
    type: 'object',
    required: ['password', 'target'],
    properties: { password: { type: 'string', format: 'secret' }, target: { type: 'string' } },
  };
  const { dir, serve } = await createInstance({
    dump: { 'config.yaml': JSON.stringify({ command: ['true'], argspec }) },
  });
  await serve();
  expect(await flwd(dir, 'webhooks', 'add', 'dump', '--arg', 'taget=body.x')).toEqual({
    code: 2,
    stdout: '',
    stderr:
      'password is missing: take it from the delivery with --arg password=EXPRESSION, or give it a stored secret in ' +
      'config.yaml with `default: {secret: NAME}`\n' +
      'target is missing: take it from the delivery with --arg target=EXPRESSION\n' +
      '--taget: there is no argument `taget`: did you mean `target`?\n',
  });
  expect(await flwd(dir, 'schedules', 'add', 'dump', '--cron', '0 3 * * *')).toEqual({
    code: 2,
    stdout: '',
    stderr: '--password is missing: --password.stored NAME\n--target is missing: --target TEXT\n',
  });
});

testWith('bwrap')('a delivery is listed and can be replayed, even after a restore elsewhere', async () => {
  const instance = await createInstance(jobs);
  const server = await instance.serve();
  const { dir } = instance;
  const lack = 'lacks the secret hook-key: flwd secrets set hook-key';
  expect((await flwd(dir, 'webhooks')).stdout).toMatch(new RegExp(`^site/deploy/push .* ${lack}$`, 'm'));
  const push = join(createFolder(), 'push.json');
  writeFileSync(push, JSON.stringify({ ref: 'main', pin }));
  const test = async () => (await flwd(dir, 'webhooks', 'test', 'site/deploy/push', '--body', push)).stdout;
  expect(await test()).toMatch(
    /would start a run of site\/deploy\nbut no delivery can be signed now, .*: the webhook lacks /,
  );
  const body = JSON.stringify({ value: key });
  await server.fetch('/secrets/hook-key', { method: 'PUT', body, headers: { 'content-type': 'application/json' } });
  expect((await flwd(dir, 'webhooks')).stdout).toMatch(
    /^site\/deploy\/push +\/hooks\/site\/deploy\/push +hmac +body\.ref != "no" +-$/m,
  );

  expect(await test()).toMatch(/would start a run of site\/deploy\n$/);

  const first = await send(server.url, { ref: 'main', pin });
  expect(first.status).toBe(202);
  await server.finished(first.run_id ?? '');
  expect(await send(server.url, { ref: 'no' })).toMatchObject({ status: 200 });
  const forged = await fetch(`${server.url}/hooks/site/deploy/push`, { method: 'POST', body: '{}' });
  expect(forged.status).toBe(403);
  await expect
    .poll(async () => (await flwd(dir, 'doctor')).stdout)
    .toMatch(
      /^warn +webhooks +site\/deploy\/push refused deliveries in the last day: 1, with a wrong signature: 1\n +→ compare the secret of the sender; flwd audit --object webhook_\w+ shows who sent them$/m,
    );
  const listed = await flwd(dir, 'webhooks', 'deliveries', 'site/deploy/push');
  expect(listed).toMatchObject({ code: 0, stderr: '' });
  const [, skipped = '', started = ''] = listed.stdout.split('\n');
  expect(skipped).toMatch(/^delivery_\w+ +skipped /);
  expect(started).toMatch(/^delivery_\w+ +started .*\{"ref":"main","pin":"\[redacted\]"\}/);
  const [id = ''] = started.split(' ');

  expect(await send(server.url, { ref: 'main' })).toMatchObject({ status: 400 });
  await expect
    .poll(async () => (await flwd(dir, 'doctor')).stdout)
    .toMatch(
      /push refused deliveries in the last day: 2, with a wrong signature: 1\n +→ compare .* sent them; flwd webhooks deliveries webhook_\w+ lists the others$/m,
    );

  // An argument of the delivery is a secret, so a replay reruns the run of the delivery.
  const hook = `${server.url}/hooks/site/deploy/push`;
  const replayed = await flwd(dir, 'webhooks', 'replay', hook, id);
  expect(replayed).toMatchObject({ code: 0, stdout: `deploys main with ${pin.length} bytes\n` });
  expect(await flwd(dir, 'webhooks', 'replay', 'site/deploy/push', 'delivery_0')).toMatchObject({ code: 3 });
  expect(await flwd(dir, 'webhooks', 'deliveries', 'site/deploy/pull')).toMatchObject({ code: 3 });
  expect(await flwd(dir, 'webhooks', 'replay', 'site/deploy/push')).toMatchObject({ code: 2 });

  expect((await flwd(dir, 'webhooks', 'rm', 'site/deploy/push')).stderr).toContain(
    "The webhook 'site/deploy/push' is defined in the config.yaml of 'site/deploy': change it there.",
  );

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
});

testWith('bwrap')(
  'a webhook is made, tested, called and removed, and its address works after a backup and a restore elsewhere',
  async () => {
    const instance = await createInstance(jobs);
    const server = await instance.serve();
    const { dir } = instance;
    const args = ['--arg', 'ref=body.ref', '--arg', 'pin=body.pin'];
    const refused = await flwd(
      dir,
      'webhooks',
      'add',
      'site/deploy',
      '--scheme',
      'github',
      '--secret',
      'lost',
      ...args,
    );
    expect(refused).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('flwd secrets set lost') });

    const made = await flwd(dir, 'webhooks', 'add', 'site/deploy', '--name', 'form', ...args, '--wait', '20s');
    expect(made).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(
        /it is not shown again\neverybody who knows the address can start site\/deploy, at most 10/,
      ),
    });
    const [url, hook = ''] = /^http:\/\/127\.0\.0\.1:\d+(\/hooks\/flwd_hook_[\w-]{43})\n$/.exec(made.stdout) ?? [];
    expect(url).toBe(made.stdout);
    expect((await flwd(dir, 'webhooks')).stdout).toMatch(/^site\/deploy\/form +has a token +token +-$/m);
    expect(await flwd(dir, 'webhooks', 'add', 'site/deploy', '--name', 'form', ...args)).toMatchObject({
      code: 2,
      stderr: "--name 'form' is already the name of a webhook of 'site/deploy': choose another one\n",
    });

    const body = join(createFolder(), 'body.json');
    writeFileSync(body, JSON.stringify({ ref: 'main', pin }));
    expect(await flwd(dir, 'webhooks', 'test', 'site/deploy/form', '--body', body)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/"ref":"main","pin":"\[redacted\]"[\s\S]*it would start a run of site\/deploy\n$/),
    });
    const without = await flwd(dir, 'webhooks', 'test', 'site/deploy/form');
    expect(without).toMatchObject({ code: 1, stdout: expect.stringMatching(/would be refused: \/args\/ref/) });

    const call = async (base: string) => {
      const headers = { 'content-type': 'application/json' };
      return fetch(base + hook, { method: 'POST', headers, body: JSON.stringify({ ref: 'main', pin }) });
    };
    const first = await call(server.url);
    expect([first.status, JSON.parse(await first.text())]).toMatchObject([200, { status: 'success' }]);

    const dest = join(createFolder(), 'backup');
    expect(await flwd(dir, 'backup', dest, '--include-key')).toMatchObject({ code: 0 });
    await server.stop();
    const other = await createInstance(jobs);
    expect(await flwd(other.dir, 'restore', dest)).toMatchObject({ code: 0 });
    const doctor = async () => (await flwd(other.dir, 'doctor')).stdout;
    expect(await doctor()).toMatch(/^warn +webhooks +site\/deploy\/push lacks the secret hook-key$/m);
    const again = await other.serve();
    expect((await call(again.url)).status).toBe(200);

    // Now a delivery is refused, and then the job is broken and removed.
    const bare = await fetch(again.url + hook, { method: 'POST' });
    expect(bare.status).toBe(400);
    expect((await flwd(other.dir, 'webhooks')).stdout).toMatch(
      /^site\/deploy\/form +has a token +token +refused \S+ +\/args\/ref has no value/m,
    );
    await expect
      .poll(doctor)
      .toMatch(/form refused deliveries in the last day: 1\n +→ .*flwd webhooks deliveries webhook_\w+$/m);
    writeFileSync(join(other.dir, 'jobs', 'site', 'deploy', 'config.yaml'), 'command: 7\n');
    await expect
      .poll(doctor)
      .toMatch(/deploy\/form takes no deliveries: .*\n +→ run flwd jobs, which shows the errors of the job$/m);
    rmSync(join(other.dir, 'jobs', 'site'), { recursive: true });
    await expect
      .poll(doctor)
      .toMatch(/^warn +webhooks +site\/deploy\/form takes no deliveries: .*\n.*flwd webhooks rm webhook_/m);

    expect(await flwd(other.dir, 'webhooks', 'rm', 'site/deploy/form')).toMatchObject({ code: 0 });
    expect((await call(again.url)).status).toBe(404);
    expect(await flwd(other.dir, 'webhooks', 'rm', 'site/deploy/form')).toMatchObject({ code: 3 });
    await again.stop();
  },
);

test('flwd webhooks and flwd schedules name the jobs that they lack because their config.yaml has errors', async () => {
  const { dir, serve } = await createInstance({ good: bash('true') });
  const put = (job: string, config: string) => {
    mkdirSync(join(dir, 'jobs', job));
    writeFileSync(join(dir, 'jobs', job, 'config.yaml'), config);
  };
  put('bad', 'command: [date]\nwebhooks: {name: push}\n');
  await serve();
  const words = (what: string) =>
    `no ${what}\nThe job bad is broken, so its ${what} start nothing: flwd jobs bad shows its errors.\n`;
  for (const what of ['webhooks', 'schedules']) {
    expect(await flwd(dir, what)).toEqual({ code: 0, stdout: '', stderr: words(what) });
    expect(await flwd(dir, what, '--job', 'bad')).toMatchObject({ stderr: words(what) });
    expect(await flwd(dir, what, '--job', 'good')).toMatchObject({ stderr: `no ${what}\n` });
  }
  for (const what of ['webhooks', 'schedules', 'triggers'])
    expect(await flwd(dir, what, '--job', 'goood')).toEqual({
      code: 3,
      stdout: '',
      stderr: expect.stringMatching(/^there is no job `goood` on the server at .*; did you mean `good`\?\n$/),
    });
  expect(await flwd(dir, 'jobs', 'bad')).toMatchObject({ code: 2, stderr: expect.stringContaining('`webhooks` must') });
  put('worse', 'command: 7\n');
  await expect
    .poll(async () => (await flwd(dir, 'webhooks')).stderr)
    .toBe(
      'no webhooks\n2 jobs are broken, so their webhooks start nothing (bad, worse): flwd jobs shows their errors.\n',
    );
});
