// Scripts that fill the disk of the data dir, with and without a server.

import { execFileSync } from 'node:child_process';
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { bash } from '../support/jobs.ts';
import { processesWith } from '../support/processes.ts';
import { fillDisk, mountDisk, testWithDisk as test } from '../support/small-disk.ts';
import { createInstance } from './an-instance.ts';
import { createFolder, flwd, start } from './terminal.ts';

const jobs = {
  artifact: bash('head -c 30000000 /dev/urandom > "$FLWD_ARTIFACTS_DIR/a.bin"'),
  workspace: bash('head -c 30000000 /dev/urandom > a.bin'),
  log: bash('set -o pipefail; head -c 60000000 /dev/urandom | base64'),
  quick: bash('echo done'),
  // Two bytes of output need eight bytes in the log.
  flood: bash('yes'),
  waits: bash('echo ready; sleep 8021'),
};
const full = /the disk is full \(.* free\): free space, or run flwd gc/;

function createSmall() {
  const dir = createFolder();
  mountDisk(dir, 24);
  return createInstance(jobs, {}, dir);
}

function makeRoom(dir: string): void {
  execFileSync('mount', ['-o', 'remount,size=64m', dir]);
}

test.each(['artifact', 'workspace', 'log'])(
  'flwd run of a job that fills the disk with its %s fails with a hint, and the next run works once there is room',
  async (jobId) => {
    const { dir, dataDir } = await createSmall();
    const { code, stderr } = await flwd(dir, 'run', jobId);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(full) });
    makeRoom(dir);
    expect(await flwd(dir, 'run', 'quick')).toMatchObject({ code: 0, stdout: 'done\n' });
    expect(statSync(join(dataDir, 'reserve')).size).toBe(4 * 2 ** 20);
  },
);

test('flwd run --quiet also says that the disk is full', async () => {
  const { dir } = await createSmall();
  const { code, stderr } = await flwd(dir, 'run', 'log', '--quiet');
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(full) });
});

test('flwd run of a job whose output exceeds the room for its log says how much was left out', async () => {
  const { dir } = await createSmall();
  const { code, stderr } = await flwd(dir, 'run', 'flood');
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(full) });
  expect(stderr).toMatch(/^… \d+ lines \(\d+ MB\) left out: the disk was full …$/m);
});

test('a server keeps running when a job fills the disk, and runs jobs again once there is room', async () => {
  const { dir, serve } = await createSmall();
  const server = await serve();
  const run = await server.finished(await server.start('artifact'));
  expect(run).toMatchObject({ status: 'failed', error: { hint: expect.stringMatching(full) } });
  expect((await server.fetch('/runs')).status).toBe(200);
  makeRoom(dir);
  expect(await server.run('quick')).toMatchObject({ status: 'success' });
  await server.stop();
});

test('SIGTERM ends flwd run although the disk is so full that the run cannot be cancelled', async () => {
  const { dir, dataDir } = await createSmall();
  const { child, ended, prints } = start(dir, ['run', 'waits']);
  await prints(/ready/);
  rmSync(join(dataDir, 'reserve'));
  const free = fillDisk(dir);
  child.kill('SIGTERM');
  const { code, stderr } = await ended;
  expect({ code, stderr }).toEqual({ code: 130, stderr: expect.stringMatching(/ could not be cancelled: .*full/) });
  free();
  expect(processesWith(dataDir)).not.toEqual([]);
});
