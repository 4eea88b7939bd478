import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash, writeJob } from '../support/jobs.ts';
import { processesWith } from '../support/processes.ts';
import { fillDisk, mountDisk, testWithDisk } from '../support/small-disk.ts';
import { bin, createFolder, flwd, observe, type Started, start } from './terminal.ts';

const anyPort = ['serve', '--bind', '127.0.0.1:0', '--data-dir', '.flwd'];

test('flwd serve prints one line with its URL and answers there', async () => {
  const { child, ended, prints } = start(createFolder(), [...anyPort]);
  const [, url] = await prints(/^flwd 0\.1\.0 listening on (http:\/\/127\.0\.0\.1:\d+)$/m);
  expect((await fetch(`${url}/healthz`)).status).toBe(204);
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 0, stdout: `flwd 0.1.0 listening on ${url}\n` });
});

test.skipIf(process.getuid?.() !== 0)('a server that is process 1 asks for an init, and SIGTERM stops it', async () => {
  const folder = createFolder();
  const words = ['--pid', '--fork', '--mount-proc', process.execPath, bin, ...anyPort];
  const { child, ended, prints } = observe(
    spawn('unshare', words, { cwd: folder, env: { PATH: process.env.PATH, HOME: folder } }),
  );
  await prints(/ warn +no init process is running, so each run leaves a zombie process: start flwd under an init/);
  const [server] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').split(' ');
  process.kill(Number(server), 'SIGTERM');
  expect(await ended).toMatchObject({ code: 0, stderr: expect.stringMatching(/ stopped\n$/) });
});

describe('stopping', () => {
  test('Ctrl-C ends the server with exit code 0', async () => {
    const { child, ended, prints } = start(createFolder(), [...anyPort]);
    await prints(/listening on/);
    child.kill('SIGINT');
    expect((await ended).code).toBe(0);
  });

  test('a closed terminal ends the server with exit code 0 and a line in its log', async () => {
    const { child, ended, prints } = start(createFolder(), [...anyPort]);
    await prints(/listening on/);
    child.kill('SIGHUP');
    const { code, stderr } = await ended;
    expect(code).toBe(0);
    expect(stderr).toMatch(/ stopping signal=SIGHUP\n(.*\n)*.* stopped\n$/);
  });

  test('a signal during the start also ends the server with exit code 0', async () => {
    const { child, ended, prints } = start(createFolder(), [...anyPort], {
      FLWD_LOGGING_BNID: 'a first line on stderr',
    });
    await prints(/FLWD_LOGGING_BNID/);
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);
  });
});

describe('stopping while a job runs', () => {
  const hold = bash('sleep 8004');

  async function serving(dir: string): Promise<{ api: string; server: Started }> {
    await writeJob(join(dir, 'jobs', 'hold'), hold);
    const server = start(dir, [...anyPort, '--jobs', './jobs']);
    const [, url] = await server.prints(/listening on (\S+)/);
    const api = `${url}/api/v1`;
    await expect.poll(async () => (await fetch(`${api}/jobs/hold`)).status).toBe(200);
    return { api, server };
  }

  function post(url: string, body: unknown): Promise<Response> {
    return fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  async function runningId(api: string): Promise<string> {
    const ids = async (): Promise<string[]> => {
      const { runs }: { runs: { run_id: string }[] } = JSON.parse(
        await (await fetch(`${api}/runs?status=running`)).text(),
      );
      return runs.map(({ run_id: id }) => id);
    };
    await expect.poll(ids).toHaveLength(1);
    const [runId = ''] = await ids();
    // Jobs continue without their server.
    onTestFinished(() => {
      for (const { pid } of processesWith(runId)) process.kill(pid, 'SIGKILL');
    });
    return runId;
  }

  testWith('bwrap')('a caller that waits for the run is answered with its current state', async () => {
    const { api, server } = await serving(createFolder());
    const answer = post(`${api}/runs`, { job_id: 'hold', async: false });
    const runId = await runningId(api);
    server.child.kill('SIGTERM');
    const response = await answer;
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({ run_id: runId, status: 'running' });
    expect((await server.ended).code).toBe(0);
  });

  testWithDisk('a server stops properly even if the disk is full', async () => {
    const dir = createFolder();
    mountDisk(dir, 16);
    const { api, server } = await serving(dir);
    await post(`${api}/runs`, { job_id: 'hold' });
    await runningId(api);
    fillDisk(dir);
    await expect.poll(async () => (await post(`${api}/runs`, { job_id: 'hold' })).status).toBeGreaterThanOrEqual(500);
    server.child.kill('SIGTERM');
    expect((await server.ended).code).toBe(0);
  });
});

test('with --log json every line of its log is JSON, on stderr only', async () => {
  const { child, ended, prints } = start(createFolder(), [':serve', ...anyPort.slice(1), '--log', 'json']);
  await prints(/listening on/);
  child.kill('SIGTERM');
  const { stdout, stderr } = await ended;
  expect(stdout.trim().split('\n')).toHaveLength(1);
  const lines = stderr.trim().split('\n');
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) expect(JSON.parse(line)).toHaveProperty('msg');
});

describe('a failed start is reported in one line', () => {
  test('if another server has the data dir, with its pid and URL, and exit code 6', async () => {
    const dir = createFolder();
    const owner = start(dir, [...anyPort]);
    const [, url] = await owner.prints(/listening on (\S+)/);
    const { code, stdout, stderr } = await flwd(dir, ...anyPort);
    expect({ code, stdout }).toEqual({ code: 6, stdout: '' });
    expect(stderr).toBe(
      `the data dir ${dir}/.flwd is in use by process ${owner.child.pid} (${url}); stop it, or choose another (--data-dir)\n`,
    );
  });

  test('if the port is taken, with exit code 6', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void holder.close());
    await once(holder, 'listening');
    const address = holder.address();
    const bind = `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
    const seen = await flwd(createFolder(), 'serve', '--data-dir', '.flwd', '--bind', bind);
    expect(seen).toMatchObject({ code: 6, stdout: '' });
    expect(seen.stderr).toBe(
      `${bind} is in use: stop the program that listens there, or choose another address with --bind\n`,
    );
  });

  test('if the data dir cannot be used, with exit code 2', async () => {
    const dir = createFolder();
    writeFileSync(join(dir, '.flwd'), '');
    const seen = await flwd(dir, ...anyPort);
    expect(seen).toMatchObject({ code: 2, stdout: '' });
    expect(seen.stderr).toBe(
      `the data dir ${dir}/.flwd cannot be used: it is not a folder; fix that, or choose another (--data-dir)\n`,
    );
  });

  test('if something else is in the place of one of flwd’s folders or its database, with exit code 2', async () => {
    const dir = createFolder();
    const dataDir = join(dir, '.flwd');
    mkdirSync(join(dataDir, 'flwd.db'), { recursive: true, mode: 0o700 });
    const seen = await flwd(dir, ...anyPort);
    expect(seen).toMatchObject({ code: 2, stdout: '' });
    const move = 'move it away, or restore a backup';
    expect(seen.stderr).toBe(`${dataDir}/flwd.db is a folder, but flwd needs a file there: ${move}\n`);
    writeFileSync(join(dataDir, 'snapshots'), '');
    expect((await flwd(dir, ...anyPort)).stderr).toBe(
      `${dataDir}/snapshots is a file, but flwd needs a folder there: ${move}\n`,
    );
    symlinkSync(join(dir, 'not-mounted'), join(dataDir, 'logs'));
    rmSync(join(dataDir, 'snapshots'));
    expect((await flwd(dir, ...anyPort)).stderr).toBe(
      `${dataDir}/logs is a link to nothing: mount or create its target, or remove the link\n`,
    );
  });

  test('if the data dir cannot be created, because /proc refuses new folders, with exit code 2', async () => {
    const seen = await flwd(createFolder(), 'serve', '--bind', '127.0.0.1:0', '--data-dir', '/proc/flwd/data');
    expect(seen).toMatchObject({ code: 2, stdout: '' });
    expect(seen.stderr).toBe(
      'the data dir /proc/flwd/data cannot be used: no folder can be created there; fix that, or choose another (--data-dir)\n',
    );
  });

  test('if the configuration is invalid, with exit code 2, and nothing is created', async () => {
    const dir = createFolder();
    writeFileSync(join(dir, 'flwd.yaml'), 'server: { bind: 0.0.0.0 }\n');
    const seen = await flwd(dir, 'serve', '--data-dir', '.flwd');
    expect(seen).toMatchObject({ code: 2, stdout: '' });
    expect(seen.stderr).toMatch(/^flwd\.yaml:1:17: `server\.bind` must be a host and a port/);
  });
});
