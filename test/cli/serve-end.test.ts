// What happens to runs when a server stops, and how a server starts while a command holds the data dir.

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { processesWith } from '../support/processes.ts';
import { mountOn, testWithDisk } from '../support/small-disk.ts';
import { createInstance, type Instance } from './an-instance.ts';
import { createFolder, flwd, type Started, start, untilNextSignalCounts } from './terminal.ts';

const jobs = {
  hold: bash('sleep 8011'),
  tidies: bash("trap 'echo tidied; exit 0' TERM; echo ready; sleep 8012 & wait"),
  stays: bash("trap '' TERM; echo ready; while :; do sleep 0.1; done", { cancel: { grace: '10m' } }),
  waits: bash('echo ready; until [ -e "$GO" ]; do sleep 0.05; done', { env: { GO: '/workspace/go' } }),
};

async function serve({ dir }: Instance, ...args: readonly string[]): Promise<Started & { readonly api: string }> {
  const server = start(dir, ['serve', ...args]);
  const [, url] = await server.prints(/listening on (\S+)/);
  return { ...server, api: `${url}/api/v1` };
}

async function begin(api: string, jobId: string): Promise<string> {
  await expect.poll(async () => (await fetch(`${api}/jobs/${jobId}`)).status).toBe(200);
  const answer = await fetch(`${api}/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ job_id: jobId }),
  });
  const { run_id: runId }: { run_id: string } = JSON.parse(await answer.text());
  return runId;
}

const logOf = async (api: string, runId: string) => (await fetch(`${api}/runs/${runId}/logs`)).text();

async function statuses({ dir }: Instance): Promise<string[]> {
  const { stdout } = await flwd(dir, 'runs', '--json');
  const { runs }: { runs: { status: string }[] } = JSON.parse(stdout);
  return runs.map(({ status }) => status);
}

describe('a server that is told to stop', () => {
  testWithDisk('ends as usual if its data dir has become read-only', async () => {
    const instance = await createInstance(jobs);
    const { child, ended } = await serve(instance);
    // A mount can be made read-only only while nobody writes through it, so the test does this in another folder first.
    const readOnly = createFolder();
    mountOn(readOnly, '--bind', instance.dataDir);
    expect(spawnSync('mount', ['-o', 'remount,bind,ro', readOnly]).status).toBe(0);
    mountOn(instance.dataDir, '--bind', readOnly);
    child.kill('SIGTERM');
    const { code, stderr } = await ended;
    expect(code).toBe(0);
    expect(stderr).not.toMatch(/a bug in flwd|could not be closed/);
  });

  testWith('bwrap')('names up to ten runs that continue without it', async () => {
    const instance = await createInstance(jobs, { scheduler: { global_concurrency: 11 } });
    const { api, child, ended } = await serve(instance);
    const ids: string[] = [];
    for (let n = 0; n < 11; n += 1) ids.push(await begin(api, 'hold'));
    for (const id of ids) await expect.poll(() => processesWith(id)).not.toEqual([]);
    child.kill('SIGTERM');
    const { code, stderr } = await ended;
    expect(code).toBe(0);
    const named = [...stderr.matchAll(/ (run_\w+) of hold continues without the server$/gm)].map(([, id]) => id);
    expect(named).toEqual(ids.toReversed().slice(0, 10));
    expect(stderr).toMatch(/ 1 more run continues; flwd runs --status running lists them$/m);
    expect(stderr).toMatch(/ the next start resumes them; to end them with the server, use flwd serve --stop-runs/);
    for (const id of ids) expect(processesWith(id)).not.toEqual([]);
  });

  testWith('bwrap')('does not mention runs if nothing is running', async () => {
    const { child, ended } = await serve(await createInstance({}));
    child.kill('SIGTERM');
    expect((await ended).stderr).not.toMatch(/goes on|next start/);
  });

  testWith('bwrap')('leaves runs that commands list with a warning, also if it was killed', async () => {
    const instance = await createInstance(jobs);
    const { api, child, ended } = await serve(instance);
    const id = await begin(api, 'hold');
    await expect.poll(() => processesWith(id)).not.toEqual([]);
    expect((await flwd(instance.dir, 'runs')).stderr).toBe('');
    child.kill('SIGKILL');
    await ended;
    const left =
      /^no server is running; the last one did not shut down properly and was alive at \S+Z or later: nothing starts, and flwd does not notice when a run ends, until you run `flwd serve`\n$/;
    for (const words of [['runs'], ['runs', '--json'], ['runs', id]])
      expect(await flwd(instance.dir, ...words)).toMatchObject({ code: 0, stderr: expect.stringMatching(left) });
    expect(await flwd(instance.dir, 'runs', '--status', 'failed')).toMatchObject({
      code: 0,
      stderr: 'no runs\n',
    });
  });

  testWith('bwrap')('ends them gracefully with --stop-runs, and starts no others', async () => {
    const instance = await createInstance(jobs, { scheduler: { global_concurrency: 1 } });
    const { api, child, ended } = await serve(instance, '--stop-runs');
    const first = await begin(api, 'tidies');
    await expect.poll(() => logOf(api, first)).toContain('ready');
    await begin(api, 'hold');
    child.kill('SIGTERM');
    const { code, stderr } = await ended;
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringMatching(/ ending 1 run; a second signal kills /),
    });
    expect(processesWith(instance.dataDir)).toEqual([]);
    expect(await statuses(instance)).toEqual(['pending', 'cancelled']);
    expect((await flwd(instance.dir, 'logs', first)).stdout).toBe('ready\ntidied\n');
  });

  testWith('bwrap')('kills runs that do not end in time after a second signal', async () => {
    const instance = await createInstance(jobs);
    const { api, child, ended, prints } = await serve(instance, '--stop-runs');
    const runId = await begin(api, 'stays');
    await expect.poll(() => logOf(api, runId)).toContain('ready');
    child.kill('SIGINT');
    await prints(/ending 1 run/);
    await untilNextSignalCounts();
    child.kill('SIGINT');
    await prints(/killing the runs that are left/);
    expect((await ended).code).toBe(0);
    expect(processesWith(instance.dataDir)).toEqual([]);
    expect(await statuses(instance)).toEqual(['cancelled']);
  });

  testWith('bwrap')('names or ends earlier runs even while it still reads its jobs', async () => {
    const instance = await createInstance(jobs);
    const before = await serve(instance);
    const runId = await begin(before.api, 'hold');
    await expect.poll(() => processesWith(runId)).not.toEqual([]);
    before.child.kill('SIGTERM');
    await before.ended;
    for (let n = 0; n < 2_000; n++) {
      mkdirSync(join(instance.dir, 'jobs', `job-${n}`));
      writeFileSync(join(instance.dir, 'jobs', `job-${n}`, 'config.yaml'), 'command: [echo, hello]\n');
    }

    const second = await serve(instance);
    second.child.kill('SIGTERM');
    expect((await second.ended).stderr).toContain(`${runId} of hold continues without the server`);
    const third = await serve(instance, '--stop-runs');
    third.child.kill('SIGTERM');
    const { code, stderr } = await third.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining(' ending 1 run; ') });
    expect(processesWith(runId)).toEqual([]);
    expect(await statuses(instance)).toEqual(['cancelled']);
  });
});

testWith('bwrap')('a server does not wait forever for a command that holds the data dir', async () => {
  const instance = await createInstance(jobs);
  const run = start(instance.dir, ['run', 'waits', '--verbose']);
  const [, runId = ''] = await run.prints(/(run_\w+) of waits/);
  await run.prints(/^ready$/m);
  run.child.kill('SIGSTOP');
  expect(await flwd(instance.dir, 'serve')).toEqual({
    code: 6,
    stdout: '',
    stderr: expect.stringContaining('is in use by another process; stop it, or choose another (--data-dir)\n'),
  });
  run.child.kill('SIGCONT');
  writeFileSync(join(instance.dataDir, 'runs', runId, 'workspace', 'go'), '');
  expect((await run.ended).code).toBe(0);
});
