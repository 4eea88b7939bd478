// `flwd notify`, and what `flwd config validate` and `flwd doctor` say about channels.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { answerWith, startReceiver } from '../support/receiver.ts';
import { createInstance } from './an-instance.ts';
import { flwd } from './terminal.ts';

test('channels are listed and tested, and the exit code says whether the message arrived', async () => {
  const receiver = await startReceiver();
  const channels = {
    team: { type: 'discord', url: `${receiver.url}/T0KEN` },
    pager: { type: 'pagerduty', routing_key: { secret: 'pager-key' } },
  };
  const instance = await createInstance({}, { notify: { channels } });
  const server = await instance.serve();
  const { dir } = instance;
  const listed = await flwd(dir, 'notify');
  expect(listed).toMatchObject({ code: 0, stderr: '' });
  expect(listed.stdout).toMatch(/pager +pagerduty +- +- +There is no stored secret 'pager-key'/);
  expect(listed.stdout).toContain(receiver.url);
  expect(listed.stdout).not.toContain('T0KEN');

  const sent = await flwd(dir, 'notify', 'test', 'team');
  expect(sent).toMatchObject({ code: 0, stdout: '', stderr: `team: ${receiver.url} accepted the message\n` });
  receiver.answer = answerWith(404);
  const refused = await flwd(dir, 'notify', 'test', 'team');
  expect(refused).toMatchObject({ code: 1 });
  expect(refused.stderr).toBe(`team: the message was not delivered to ${receiver.url}: the answer was 404\n`);
  const add = (name: string) =>
    `add '${name}' to notify.channels in flwd.yaml, unless it is there already (flwd config show names the file). Then restart the server, which reads the file only when it starts.`;
  expect(await flwd(dir, 'notify', 'test', 'other')).toMatchObject({
    code: 3,
    stderr: `The server has no channel 'other', but has pager, team: ${add('other')}\n`,
  });
  expect(await flwd(dir, 'notify', 'test', 'taem')).toMatchObject({
    code: 3,
    stderr: `The server has no channel 'taem'; did you mean 'team'? If not, ${add('taem')}\n`,
  });

  const validated = await flwd(dir, 'config', 'validate');
  expect(validated).toMatchObject({ code: 0, stdout: 'flwd.yaml is valid\n' });
  const missing = 'pager cannot send, because these secrets are not stored: pager-key';
  expect(validated.stderr).toBe(`flwd: ${missing}; flwd secrets set pager-key\n`);
  expect((await flwd(dir, 'doctor')).stdout).toMatch(/warn +channels +pager cannot send/);
  await server.stop();
});

testWith('bwrap')('messages that wait are shown by notify and doctor until they are sent', async () => {
  const receiver = await startReceiver();
  receiver.answer = answerWith(503);
  const channels = { team: { type: 'discord', url: `${receiver.url}/T0KEN` } };
  const instance = await createInstance(
    { failing: bash('exit 3', { notify: { channel: 'team' } }) },
    { notify: { channels } },
  );
  const server = await instance.serve();
  onTestFinished(() => server.stop());
  const { dir } = instance;
  for (const _ of [1, 2]) await server.run('failing');
  const why = String.raw`2 messages wait since \S+: the answer was 503; next try \S+`;
  await expect
    .poll(async () => (await flwd(dir, 'notify')).stdout)
    .toMatch(new RegExp(`^team +discord +\\S+ +- +${why}$`, 'm'));
  expect((await flwd(dir, 'doctor')).stdout).toMatch(
    new RegExp(`^warn +notifications +team: ${why}\n +→ check the receiver, then run flwd notify test team$`, 'm'),
  );
  receiver.answer = answerWith(200);
  await expect
    .poll(async () => (await flwd(dir, 'notify')).stdout, { interval: 500 })
    .toMatch(/^team +discord +\S+ +delivered \S+ *$/m);
  expect((await flwd(dir, 'doctor')).stdout).not.toContain('notifications');
});

testWith('bwrap')(
  'runs, notify and doctor say that a message to the address of a job was not delivered, and when flwd tries again',
  { timeout: 300_000 },
  async () => {
    const receiver = await startReceiver();
    receiver.answer = answerWith(503);
    const instance = await createInstance({
      failing: bash('exit 3', { notify: [{ webhook: `${receiver.url}/T0KEN` }, { channel: 'lost' }] }),
    });
    const server = await instance.serve();
    onTestFinished(() => server.stop());
    const { run_id: id } = await server.run('failing');
    const { dir } = instance;
    const shown = async () => (await flwd(dir, 'runs', id)).stdout;
    const words = `notify +the message \`failed\` was not delivered to ${receiver.url}: the answer was 503; next try \\S+`;
    await expect.poll(shown).toMatch(new RegExp(`^${words}$`, 'm'));
    const lost =
      "notify +the message `failed` was not delivered to lost: flwd\\.yaml has no channel 'lost'.*; flwd gave up";
    await expect.poll(shown).toMatch(new RegExp(`^${words}\n${lost}$`, 'm'));
    const listed = await flwd(dir, 'notify');
    const why = String.raw`1 message waits since \S+: the answer was 503; next try \S+`;
    expect(listed.stdout).toMatch(new RegExp(`^failing +notify\\.webhook +${receiver.url} +- +${why}$`, 'm'));
    const doctor = await flwd(dir, 'doctor');
    const fix = 'check the receiver, or correct notify.webhook in the config.yaml of the job';
    expect(doctor.stdout).toMatch(
      new RegExp(`^warn +notifications +${receiver.url} for failing: ${why}\n +→ ${fix}$`, 'm'),
    );
    expect(`${await shown()}${listed.stdout}${doctor.stdout}`).not.toContain('T0KEN');
    receiver.answer = answerWith(200);
    // On a slow machine, several tries have failed by now, and the next one is minutes away.
    await expect.poll(shown, { interval: 500, timeout: 170_000 }).not.toContain(receiver.url);
    expect(await flwd(dir, 'notify')).toMatchObject({
      stdout: '',
      stderr: 'flwd.yaml has no channels (notify.channels)\n',
    });
    expect((await flwd(dir, 'doctor')).stdout).not.toContain('notifications');
  },
);

testWith('bwrap')('doctor lists a channel without its secret once, also while messages wait for it', async () => {
  const channels = { pager: { type: 'pagerduty', routing_key: { secret: 'pager-key' } } };
  const instance = await createInstance(
    { failing: bash('exit 3', { notify: { channel: 'pager' } }) },
    { notify: { channels } },
  );
  const server = await instance.serve();
  onTestFinished(() => server.stop());
  await server.run('failing');
  await expect
    .poll(async () => JSON.parse((await flwd(instance.dir, 'notify', '--json')).stdout))
    .toMatchObject({ channels: [{ waiting: { messages: 1 } }] });
  const lines = (await flwd(instance.dir, 'doctor')).stdout.split('\n');
  expect(lines.filter((line) => line.includes('pager '))).toEqual([
    expect.stringMatching(/^warn +channels +pager cannot send, because these secrets are not stored: pager-key$/),
  ]);
  expect(lines.filter((line) => line.includes('notifications'))).toEqual([]);
});

test('a wrong expression keeps the server from starting, and config validate says why', async () => {
  const { dir } = await createInstance({});
  const channels = { own: { type: 'template', url: 'https://example.org', body: 'messag.reason' } };
  writeFileSync(
    join(dir, 'flwd.yaml'),
    JSON.stringify({
      instance: { data_dir: join(dir, 'data') },
      server: { bind: '127.0.0.1:0' },
      notify: { channels },
    }),
  );
  const wrong =
    '`notify.channels.own.body` is not a valid expression: there is no name `messag`: did you mean `message`?';
  expect(await flwd(dir, 'config', 'validate')).toMatchObject({ code: 2, stderr: `flwd: ${wrong}\n` });
  const served = await flwd(dir, 'serve');
  expect(served.code).not.toBe(0);
  expect(served.stderr).toContain(wrong);
});
