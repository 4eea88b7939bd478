// What happens when someone removes files of a data dir that a server, or a command without a server, is using.

import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { script, steps } from '../engine/step-jobs.ts';
import { bash, writeJob } from '../support/jobs.ts';
import { endProcessesOf, processesOf, stateOf } from '../support/processes.ts';
import { createFolder, flwd, type Started, start } from './terminal.ts';

const serve = ['serve', '--bind', '127.0.0.1:0', '--data-dir', '.flwd', '--jobs', './jobs'];

async function serving(): Promise<{ dir: string; server: Started; url: string }> {
  const dir = createFolder();
  await writeJob(join(dir, 'jobs', 'hello'), bash('echo hello'));
  const server = start(dir, serve);
  const [, url = ''] = await server.prints(/listening on (\S+)/);
  return { dir, server, url };
}

function post(url: string): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return fetch(`${url}/api/v1/runs`, { method: 'POST', headers, body: '{"job_id":"hello"}' });
}

test('a server restores its lock and socket: a second server is refused, and commands reach the first', async () => {
  const { dir, server, url } = await serving();
  for (const name of ['flwd.lock', 'flwd.sock']) rmSync(join(dir, '.flwd', name));
  const second = await flwd(dir, ...serve);
  expect(second.code).toBe(6);
  expect(second.stderr).toContain(`is in use by process ${server.child.pid} (${url}); stop it`);
  rmSync(join(dir, '.flwd/flwd.sock'));
  expect(await flwd(dir, 'run', 'hello', '--data-dir', '.flwd')).toMatchObject({ code: 0 });
  server.child.kill('SIGTERM');
  const { code, stderr } = await server.ended;
  expect(code).toBe(0);
  expect(stderr).toContain(`somebody removed flwd.lock from the data dir ${dir}/.flwd; it is there again`);
});

test('a server that lost the data dir to another server says so, exits with 6 and does not disturb the other one', async () => {
  const { dir, server } = await serving();
  server.child.kill('SIGSTOP');
  await expect.poll(() => stateOf(server.child.pid ?? 0)).toBe('T');
  for (const name of ['flwd.lock', 'flwd.sock']) rmSync(join(dir, '.flwd', name));
  const next = start(dir, serve);
  const [, url = ''] = await next.prints(/listening on (\S+)/);
  server.child.kill('SIGCONT');
  const { code, stderr } = await server.ended;
  expect(code).toBe(6);
  expect(stderr).toContain(`another process has taken the data dir ${dir}/.flwd`);
  await expect.poll(async () => (await fetch(`${url}/api/v1/jobs/hello`)).status).toBe(200);
  expect(await flwd(dir, 'run', 'hello', '--data-dir', '.flwd')).toMatchObject({ code: 0 });
});

test('without its database a server accepts no runs and says why, until the file is back', async () => {
  const { dir, url } = await serving();
  await expect.poll(async () => (await post(url)).status).toBe(201);
  const path = join(dir, '.flwd/flwd.db');
  renameSync(path, `${path}.away`);
  const words = 'flwd.db was removed or replaced: put it back, or stop the server and restore a backup';
  const refused = await post(url);
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ detail: `The server cannot write its data: ${words}.` });
  const health = await fetch(`${url}/api/v1/health`);
  expect(health.status).toBe(503);
  const database = { status: 'failing', detail: `the database cannot be written: ${words}` };
  expect(await health.json()).toMatchObject({ status: 'unhealthy', checks: { database } });

  renameSync(`${path}.away`, path);
  await expect.poll(async () => (await post(url)).status).toBe(201);
});

test('a data dir that is moved away and back works again', async () => {
  const { dir, url } = await serving();
  await expect.poll(async () => (await post(url)).status).toBe(201);
  renameSync(join(dir, '.flwd'), join(dir, 'moved'));
  await expect.poll(async () => (await fetch(`${url}/api/v1/health`)).status).toBe(503);
  await writeJob(join(dir, 'jobs', 'hello'), bash('echo changed'));
  expect((await post(url)).status).toBe(503);
  const health = await fetch(`${url}/api/v1/health`);
  expect(await health.text()).not.toContain(dir);
  // The server has not created a folder in the old place: `mv` would move the data dir into it.
  expect(existsSync(join(dir, '.flwd'))).toBe(false);
  renameSync(join(dir, 'moved'), join(dir, '.flwd'));
  await expect.poll(async () => (await post(url)).status).toBe(201);
  expect(await flwd(dir, 'run', 'hello', '--data-dir', '.flwd')).toMatchObject({ code: 0 });
});

/** A command without a server, which runs a job that ignores SIGTERM. */
async function running(): Promise<{ dir: string; run: Started }> {
  const dir = createFolder();
  onTestFinished(() => endProcessesOf(dir));
  await writeJob(join(dir, 'jobs', 'stubborn'), bash('trap "" TERM\necho started\nsleep 600'));
  const run = start(dir, ['run', 'stubborn', '--data-dir', '.flwd', '--jobs', './jobs']);
  await run.prints(/^started$/m);
  return { dir, run };
}

/**
 * Moves the data dir before removing it, because the command would recreate its lock while files are removed one by
 * one.
 */
function removeDataDir(dir: string): void {
  renameSync(join(dir, '.flwd'), join(dir, 'moved'));
  rmSync(join(dir, 'moved'), { recursive: true });
}

function removeDatabase(dir: string): void {
  for (const end of ['', '-wal', '-shm']) rmSync(join(dir, `.flwd/flwd.db${end}`));
}

test.each([
  { what: 'data dir', remove: removeDataDir, how: 'at SIGTERM' },
  { what: 'data dir', remove: removeDataDir, how: 'by itself' },
  { what: 'database', remove: removeDatabase, how: 'at SIGTERM' },
  { what: 'database', remove: removeDatabase, how: 'by itself' },
])('a command whose $what is removed ends $how, says why, and leaves no process', async ({ remove, how }) => {
  const { dir, run } = await running();
  remove(dir);
  if (how === 'at SIGTERM') run.child.kill('SIGTERM');
  const { code, stderr } = await run.ended;
  expect(code).toBe(130);
  const words = `somebody removed or moved the data dir ${dir}/.flwd or its database`;
  expect(stderr).toMatch(new RegExp(`^${words}, so run_\\w+ was stopped, and its end is not stored\\.$`, 'm'));
  expect(stderr).not.toMatch(/ at \S+ \(file:/);
  expect(processesOf(dir)).toEqual([]);
  expect(existsSync(join(dir, '.flwd/flwd.db'))).toBe(false);
});

test('a command whose write-ahead log alone is removed ends by itself, and the next one continues the run', async () => {
  const dir = createFolder();
  onTestFinished(() => endProcessesOf(dir));
  await writeJob(join(dir, 'jobs', 'told'), bash('echo started\nuntil [[ -e go ]]; do sleep 0.02; done\necho done'));
  const options = ['--data-dir', '.flwd', '--jobs', './jobs'];
  const run = start(dir, ['run', 'told', ...options]);
  await run.prints(/^started$/m);
  rmSync(join(dir, '.flwd/flwd.db-wal'));
  const { code, stderr } = await run.ended;
  expect(code).toBe(130);
  expect(stderr).toContain(`somebody removed a file beside the database in the data dir ${dir}/.flwd, so`);
  const [, runId = ''] = /(run_\w+) is still running; `flwd logs/.exec(stderr) ?? [];
  writeFileSync(join(dir, '.flwd/runs', runId, 'workspace/go'), '');
  const stdout = expect.stringMatching(/^started\ndone\n/);
  expect(await flwd(dir, 'logs', runId, '--follow', ...options)).toMatchObject({ code: 0, stdout });
});

test.each(['logs', 'approve'])(
  'a flwd %s that continues a run ends with it when the data dir is removed',
  async (verb) => {
    const dir = createFolder();
    onTestFinished(() => endProcessesOf(dir));
    const stubborn = script('stubborn', { needs: ['ask'] });
    const asks = { steps: [{ id: 'ask', approval: { text: 'Go?' } }, stubborn] };
    await writeJob(join(dir, 'jobs/logs'), bash('trap "" TERM\necho started\nsleep 600'));
    await writeJob(join(dir, 'jobs/approve'), steps(asks, { stubborn: 'trap "" TERM\necho started\nsleep 600' }));
    const options = ['--data-dir', '.flwd', '--jobs', './jobs'];
    const { stdout } = await flwd(dir, 'run', verb, '--detach', ...options);
    const words = verb === 'logs' ? ['logs', stdout.trim(), '--follow'] : ['approve', stdout.trim()];
    const command = start(dir, [...words, ...options]);
    await command.prints(/^(started|stubborn: running)$/m);
    removeDataDir(dir);
    const { code, stderr } = await command.ended;
    expect(code).toBe(130);
    expect(stderr).toContain(`or its database, so ${stdout.trim()} was stopped, and its end is not stored.\n`);
    expect(processesOf(dir)).toEqual([]);
  },
);

test('the log of a run that has ended is printed to its end when the database is moved', async () => {
  const dir = createFolder();
  await writeJob(join(dir, 'jobs/count'), bash('seq 500000'));
  const options = ['--data-dir', '.flwd', '--jobs', './jobs'];
  const { stdout } = await flwd(dir, 'run', 'count', '--json', ...options);
  const { run_id: runId }: { run_id: string } = JSON.parse(stdout);
  const { child, ended } = start(dir, ['logs', runId, ...options]);
  const pipe = child.stdout;
  pipe?.once('data', () => {
    pipe.pause();
    renameSync(join(dir, '.flwd/flwd.db'), join(dir, 'moved'));
  });
  await expect.poll(() => existsSync(join(dir, 'moved')), { timeout: 120_000 }).toBe(true);
  // Longer than a command would wait if its run continued. There is no event that the test could wait for.
  await delay(8_000);
  pipe?.resume();
  const { code, stderr, stdout: log } = await ended;
  expect({ code, stderr, end: log.slice(-8) }).toEqual({ code: 0, stderr: '', end: '\n500000\n' });
});

test('a run whose data dir was moved ends as failed once the folder is back', async () => {
  const { dir, run } = await running();
  renameSync(join(dir, '.flwd'), join(dir, 'moved'));
  const { stderr } = await run.ended;
  const [, runId = ''] = /(run_\w+) was stopped/.exec(stderr) ?? [];
  renameSync(join(dir, 'moved'), join(dir, '.flwd'));
  const options = ['--data-dir', '.flwd', '--jobs', './jobs'];
  expect(await flwd(dir, 'logs', runId, '--follow', ...options)).toMatchObject({ code: 0, stdout: 'started\n' });
  const { stdout } = await flwd(dir, 'runs', runId, '--json', ...options);
  expect(JSON.parse(stdout)).toMatchObject({ status: 'failed', reason: 'lost' });
});
