// Commands without a server: each runs a temporary instance, one after the other on the same data dir.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { createInstance, type Instance } from './an-instance.ts';
import { flwd, start } from './terminal.ts';

const jobs = {
  waits: bash('echo ready; until [ -e "$GO" ]; do sleep 0.05; done; rm "$GO"; echo done', {
    env: { GO: '/workspace/go' },
  }),
};

function finish({ dataDir }: Instance, runId: string): void {
  writeFileSync(join(dataDir, 'runs', runId, 'workspace', 'go'), '');
}

async function begin(instance: Instance) {
  const run = start(instance.dir, ['run', 'waits', '--verbose']);
  const [, runId = ''] = await run.prints(/(run_\w+) of waits/);
  await run.prints(/^ready$/m);
  return { ...run, runId };
}

const whole = { code: 0, stdout: 'ready\ndone\n' };

testWith('bwrap')('two commands share one instance, and the second continues when the first ends', async () => {
  const instance = await createInstance(jobs);
  const first = await begin(instance);
  const second = await begin(instance);
  finish(instance, first.runId);
  expect(await first.ended).toMatchObject(whole);
  // Now only the second command holds the data dir.
  const { code, stdout } = await flwd(instance.dir, 'runs', second.runId, '--json');
  expect([code, JSON.parse(stdout)]).toMatchObject([0, { status: 'running' }]);
  finish(instance, second.runId);
  expect(await second.ended).toMatchObject(whole);
});

testWith('bwrap')('a run that --detach left is resumed by the next command about it', async () => {
  const instance = await createInstance(jobs);
  const detached = await flwd(instance.dir, 'run', 'waits', '--detach');
  expect(detached).toMatchObject({ code: 0, stdout: expect.stringMatching(/^run_\w+\n$/) });
  expect(detached.stderr).toContain('the next flwd command on this instance finishes it, or `flwd serve');
  const runId = detached.stdout.trim();
  const follower = start(instance.dir, ['logs', runId, '--follow']);
  await follower.prints(/^ready$/m);
  finish(instance, runId);
  expect(await follower.ended).toMatchObject(whole);
  const { stdout } = await flwd(instance.dir, 'runs', runId, '--json');
  expect(JSON.parse(stdout)).toMatchObject({ status: 'success', exit_code: 0 });
});

/** Leaves a run that has not started, without a server. The command `owner` has the data dir. */
async function leavePending() {
  const instance = await createInstance(
    { ...jobs, quick: bash('echo quick') },
    { scheduler: { global_concurrency: 1 } },
  );
  const server = await instance.serve();
  const first = await server.start('waits');
  await expect.poll(() => server.messages(first)).toEqual(['ready']);
  const pending = await server.start('quick');
  await server.stop();
  const owner = start(instance.dir, ['events']);
  await owner.prints(/no server is running on .*: only what other commands do will appear/);
  finish(instance, first);
  await owner.prints(new RegExp(`run.finished .*${first}`));
  return { instance, owner, pending };
}

testWith('bwrap')(
  'a pending run is started when a command follows it, even if another command has the data dir',
  async () => {
    const { instance, owner, pending } = await leavePending();
    expect(await flwd(instance.dir, 'logs', pending, '--follow')).toMatchObject({ code: 0, stdout: 'quick\n' });
    owner.child.kill('SIGINT');
    expect((await owner.ended).code).toBe(130);
  },
);

testWith('bwrap')(
  'without a server, a pending run does not start when a command reads its log or cancels it',
  async () => {
    const { instance, owner, pending } = await leavePending();
    expect(await flwd(instance.dir, 'logs', pending)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await flwd(instance.dir, 'cancel', pending)).toEqual({
      code: 0,
      stdout: `cancelled ${pending}\n`,
      stderr: '',
    });
    const { stdout } = await flwd(instance.dir, 'runs', pending, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ status: 'cancelled', started_at: null });
    owner.child.kill('SIGINT');
    await owner.ended;
  },
);

testWith('bwrap')('a run that ended while no command was running has its result and whole log afterwards', async () => {
  const instance = await createInstance(jobs);
  const { stdout: printed } = await flwd(instance.dir, 'run', 'waits', '--detach', '--quiet');
  const runId = printed.trim();
  finish(instance, runId);
  expect((await flwd(instance.dir, 'logs', runId, '--follow')).stdout).toBe(whole.stdout);
});

testWith('bwrap')(
  'a server that starts takes the data dir at once, and running commands become its clients',
  async () => {
    const instance = await createInstance(jobs);
    const runs = [await begin(instance), await begin(instance), await begin(instance), await begin(instance)];
    const server = start(instance.dir, ['serve']);
    const [, url] = await server.prints(/listening on (\S+)/);
    expect(await (await fetch(`${url}/api/v1/runs?status=running`)).json()).toMatchObject({ total: 4 });
    for (const { runId } of runs) finish(instance, runId);
    for (const { ended } of runs) expect(await ended).toMatchObject(whole);
    const ended = await (await fetch(`${url}/api/v1/runs?status=success`)).json();
    expect(ended).toMatchObject({ total: 4 });
  },
);

testWith('bwrap')('a command keeps following a run when its server restarts with another token and port', async () => {
  const instance = await createInstance(jobs);
  const server = await instance.serve();
  const followed = await begin(instance);
  await server.stop();
  await instance.serve();
  finish(instance, followed.runId);
  expect(await followed.ended).toMatchObject(whole);
});

testWith('bwrap')(
  'a command continues with the next server, and sends nothing to a program that took the old port',
  async () => {
    const instance = await createInstance(jobs);
    const { url, stop } = await instance.serve();
    const run = await begin(instance);
    await stop();
    const heard: string[] = [];
    const thief = createServer(({ url: path, headers }, answer) => {
      heard.push(`${path} ${headers.authorization}`);
      answer.writeHead(503).end();
    }).listen(Number(new URL(url).port), '127.0.0.1');
    onTestFinished(() => void thief.close());
    await once(thief, 'listening');
    // Longer than the command waits between two attempts.
    await delay(1_500);
    const next = await instance.serve();
    finish(instance, run.runId);
    expect(await run.ended).toMatchObject(whole);
    expect(heard).toEqual([]);
    await next.stop();
  },
);

test('a bug in a command without a server is reported with the stack of its cause', async () => {
  const { dir, dataDir } = await createInstance({ hello: bash('echo hello') });
  const { run_id: runId } = JSON.parse((await flwd(dir, 'run', 'hello', '--json')).stdout);
  const database = new DatabaseSync(join(dataDir, 'flwd.db'), { timeout: 60_000 });
  database.exec("UPDATE runs SET labels = 'not JSON'");
  database.close();
  const { code, stderr } = await flwd(dir, 'runs', runId);
  expect(code).toBe(70);
  expect(stderr).toMatch(/error internal error err=.*SyntaxError.* at \S+ \(file:/);
  expect(stderr).toContain('flwd: this is a bug in flwd; please report it together with the following\n');
});
