// `flwd schedules add --heartbeat`, and what `flwd schedules` and `flwd doctor` say about the calls.

import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { answerWith, startReceiver } from '../support/receiver.ts';
import { createInstance } from './an-instance.ts';
import { flwd } from './terminal.ts';

test('a heartbeat can be set without editing a file, and the list shows its last call and why it failed', async () => {
  const receiver = await startReceiver();
  const instance = await createInstance({ backup: bash('true') });
  const { dir } = instance;
  const server = await instance.serve();
  const add = ['schedules', 'add', 'backup', '--cron', '0 0 1 1 *'];
  const both = await flwd(dir, ...add, '--heartbeat', receiver.url, '--heartbeat-secret', 'watch');
  expect(both.code).toBe(2);
  expect(both.stderr).toContain('--heartbeat and --heartbeat-secret must not be used together');
  const wrong = await flwd(dir, ...add, '--heartbeat', 'nowhere');
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain('must be an http or https URL without a user and password');
  expect((await flwd(dir, 'schedules')).stdout).not.toContain('HEARTBEAT');

  const made = await flwd(dir, ...add, '--heartbeat', `${receiver.url}/token`);
  const id = made.stdout.trim();
  const shown = async () => {
    const { stdout } = await flwd(dir, 'schedules');
    const [head = [], row = []] = stdout.split('\n').map((line) => line.split(/ {2,}/));
    expect(stdout).not.toContain('/token');
    return row[head.indexOf('HEARTBEAT')];
  };
  expect(await shown()).toBe('not yet called');
  expect((await flwd(dir, 'schedules', 'run', id)).code).toBe(0);
  await expect.poll(shown).toMatch(/^called 20\S+Z$/);
  expect((await flwd(dir, 'doctor')).stdout).not.toContain('heartbeats');

  receiver.answer = answerWith(500);
  expect((await flwd(dir, 'schedules', 'run', id)).code).toBe(0);
  await expect.poll(shown).toMatch(/^failed 20\S+Z: the answer was 500$/);
  expect((await flwd(dir, 'doctor')).stdout).toMatch(
    /^warn {2}heartbeats {2,}the last heartbeat of 1 schedule failed\n/m,
  );
  expect(receiver.received.map(({ path }) => path)).toEqual(expect.arrayContaining(['/token', '/token']));

  const bySecret = await flwd(dir, ...add, '--heartbeat-secret', 'watch', '--json');
  expect(JSON.parse(bySecret.stdout)).toMatchObject({ heartbeat: { origin: null, secret: 'watch' } });
  await server.stop();
});
