// A host without bubblewrap. A job in the profile `disabled` runs without a sandbox if the operator allows it, and says
// so. Jobs in other profiles do not run.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { processesWith } from '../support/processes.ts';
import { startServer } from '../support/server.ts';

/** A PATH with all programs of this machine except bubblewrap. */
const programs = mkdtempSync(join(tmpdir(), 'flwd-programs-'));
afterAll(() => rmSync(programs, { recursive: true }));
const linked = new Set(['', 'bwrap']);
for (const folder of (process.env.PATH ?? '').split(delimiter)) {
  for (const name of spawnSync('ls', [folder], { encoding: 'utf8' }).stdout.split('\n')) {
    if (linked.has(name)) continue;
    symlinkSync(join(folder, name), join(programs, name));
    linked.add(name);
  }
}
const env = { PATH: programs };
const disabled = { security_profile: 'disabled' };
const nap = `sleep 3600.${process.pid}1`;

const jobs = {
  plain: bash(
    `echo "$name, $(< "$FLWD_SECRETS_DIR/token")"; echo made > "$FLWD_ARTIFACTS_DIR/one"; echo named > two
flwd_artifact "$PWD/two"; flwd_result '{"answer": 42}'; flwd_output step done`,
    {
      ...disabled,
      argspec: {
        type: 'object',
        properties: { name: { type: 'string' }, token: { type: 'string', format: 'secret' } },
      },
    },
  ),
  lasting: bash(`setsid ${nap} < /dev/null > /dev/null 2>&1 & echo started; ${nap}`, {
    ...disabled,
    cancel: { grace: '100ms' },
  }),
  'without-network': bash('true', { ...disabled, permissions: { network: 'none' } }),
  secure: bash('true'),
  permissive: bash('true', { security_profile: 'permissive' }),
};

const server = await startServer({
  env,
  jobs,
  config: { security: { allow_profiles: ['secure', 'permissive', 'disabled'] } },
});
afterAll(() => server.close());

test('a disabled job runs, returns its results, and says that it had no sandbox', async () => {
  const run = await server.run('plain', { name: 'a name', token: 's3cret-token' });
  expect(run).toMatchObject({ status: 'success', result: { value: { answer: 42 } } });
  expect(await server.messages(run.run_id)).toEqual(['a name, [redacted]']);
  expect((await server.artifacts(run.run_id)).map(({ name }) => name).toSorted()).toEqual(['one', 'two']);
  const { security } = await server.json<{ security: unknown }>(`/runs/${run.run_id}`);
  expect(security).toEqual({
    profile: 'disabled',
    isolation: {
      pid_namespace: false,
      network: 'all',
      filesystem: 'host',
      environment: 'server',
      no_new_privileges: false,
      uid: process.getuid?.(),
      namespaces: [],
      user_namespace: false,
      capabilities: 'server',
      seccomp: null,
    },
  });
});

test('a cancel ends all processes of the run, and says that it cannot prove this', async () => {
  const runId = await server.start('lasting');
  await expect.poll(() => processesWith(nap).length).toBe(2);
  await server.fetch(`/runs/${runId}/cancel`, { method: 'POST' });
  const run = await server.finished(runId);
  expect(run).toMatchObject({ status: 'cancelled', termination: { remaining: 0, proven: false } });
  expect(processesWith(nap)).toEqual([]);
});

test('a run survives a kill of the server, and the next server can end it', async () => {
  const runId = await server.start('lasting');
  await expect.poll(() => server.messages(runId)).toEqual(['started']);
  await expect.poll(() => processesWith(nap).length).toBe(2);
  await server.stop('SIGKILL');
  expect(processesWith(nap).length).toBe(2);
  await server.startAgain();
  await server.fetch(`/runs/${runId}/cancel`, { method: 'POST' });
  expect(await server.finished(runId)).toMatchObject({ status: 'cancelled', termination: { proven: false } });
  expect(processesWith(nap)).toEqual([]);
});

describe('no job gets less isolation than promised', () => {
  test.each([
    ['secure', "This host cannot enforce 'secure': bubblewrap is not installed: apt-get install bubblewrap"],
    ['permissive', "This host cannot enforce 'permissive': bubblewrap is not installed: apt-get install bubblewrap"],
    [
      'without-network',
      "This host has no bubblewrap. Without it, a run cannot be cut off from the network, which the job's permissions.network asks for: install bubblewrap, or set network: all.",
    ],
  ])('a job with %s is refused', async (job_id, detail) => {
    const answer = await server.fetch('/runs', { body: { job_id } });
    expect([answer.status, await answer.json()]).toEqual([422, expect.objectContaining({ detail })]);
  });

  test('no disabled job runs without the operator’s permission', async () => {
    await using strict = await startServer({ env, jobs: { plain: bash('true', disabled) } });
    const answer = await strict.fetch('/runs', { body: { job_id: 'plain' } });
    expect([answer.status, await answer.json()]).toEqual([
      422,
      expect.objectContaining({
        detail:
          "This instance allows the profiles secure, permissive, but not 'disabled': add it to security.allow_profiles in flwd.yaml, unless it is there already (flwd config show names the file). Then restart the server, which reads the file only when it starts.",
      }),
    ]);
  });
});

test('the report about the host contains each profile', async () => {
  const { isolation, host } = await server.json<{
    isolation: unknown;
    host: { checks: { name: string; status: string; detail: string }[] };
  }>('/system/info');
  expect(isolation).toMatchObject({
    secure: { available: false },
    permissive: { available: false },
    disabled: {
      available: true,
      detail:
        'bubblewrap is not installed, so a run has no sandbox and no pid namespace, and flwd cannot prove that all its processes have ended',
    },
  });
  expect(host.checks.find(({ name }) => name === 'profile disabled')).toMatchObject({
    status: 'warn',
    detail:
      'allowed; bubblewrap is not installed, so a run has no sandbox and no pid namespace, and flwd cannot prove that all its processes have ended',
  });
});
