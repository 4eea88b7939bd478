import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { acquireOwnership } from '../../src/instance/owner-lock.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { fillDisk, mountDisk, testWithDisk } from '../support/small-disk.ts';
import { createInstance, type Instance } from './an-instance.ts';
import { createFolder, flwd } from './terminal.ts';

const jobs = { prints: bash('echo one; echo kept > artifacts/file.txt') };
const shortLived = { persistence: { retention: { runs: '1m', logs: '1m', events: '1m' } } };

/** Moves all stored times two hours into the past. */
function age({ dataDir }: Instance): void {
  const database = new DatabaseSync(join(dataDir, 'flwd.db'), { timeout: 60_000 });
  database.exec(`
    UPDATE runs SET created_at = created_at - 7200000, finished_at = finished_at - 7200000;
    UPDATE events SET at = at - 7200000;
    UPDATE log_segments SET last_at_us = last_at_us - 7200000000;
  `);
  database.close();
}

test('a new instance has nothing to remove, and gc does not create an instance', async () => {
  const { dir, dataDir, serve } = await createInstance({});
  expect(await flwd(dir, 'gc')).toEqual({
    stdout: '',
    stderr: `there is no flwd instance in ${dataDir} yet: flwd serve or a first flwd run creates one; --data-dir names another folder\n`,
    code: 3,
  });
  expect(existsSync(dataDir)).toBe(false);
  await (await serve()).stop();
  expect(await flwd(dir, 'gc')).toEqual({
    stdout: 'removed nothing\n',
    stderr: '',
    code: 0,
  });
});

testWith('bwrap')('on a stopped instance gc removes expired data and prints how much', async () => {
  const instance = await createInstance(jobs, shortLived);
  const served = await instance.serve();
  const { run_id: runId } = await served.run('prints');
  await served.stop();
  age(instance);

  const dry = await flwd(instance.dir, 'gc', '--dry-run');
  expect(dry.stdout).toMatch(/^would remove 1 run, \d+ events, 1 log: \d+ B in files, [\d.]+ \w+ in the database\n$/);
  const { stdout, code } = await flwd(instance.dir, 'gc');
  expect(stdout).toMatch(/^removed 1 run, \d+ events, 1 log, 1 artifact: \d+ B in files, /);
  expect(code).toBe(0);
  expect((await flwd(instance.dir, 'gc')).stdout).toMatch(/^removed nothing/);

  const again = await instance.serve();
  expect((await again.fetch(`/runs/${runId}`)).status).toBe(404);
  await again.stop();
});

testWith('bwrap')('on a running instance the server removes the data', async () => {
  const instance = await createInstance(jobs, shortLived);
  const served = await instance.serve();
  const { run_id: runId } = await served.run('prints');
  age(instance);

  const { stdout, stderr, code } = await flwd(instance.dir, 'gc');
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  expect(stdout).toMatch(/^removed 1 run, \d+ events, 1 log, 1 artifact: \d+ B in files, /);
  expect((await served.fetch(`/runs/${runId}`)).status).toBe(404);
  const expired = await served.fetch('/events/runs', { headers: { 'last-event-id': '1' } });
  expect([expired.status, await expired.text()]).toEqual([410, expect.stringContaining('events-expired')]);
  await served.stop();
});

test('gc removes the data itself if the command that was doing it ends in the middle', async () => {
  const { dir, dataDir, serve } = await createInstance({});
  await (await serve()).stop();
  const owner = await acquireOwnership(dataDir, { isEphemeral: true, warn: () => undefined });
  const asked: string[] = [];
  const server = createServer((request) => {
    asked.push(`${request.method} ${request.url}`);
    server.close();
    void owner.release().then(() => request.destroy());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  owner.announce({ url: `http://127.0.0.1:${address.port}` });
  expect(await flwd(dir, 'gc')).toEqual({ code: 0, stdout: 'removed nothing\n', stderr: '' });
  expect(asked).toEqual(['POST /api/v1/system/gc?dry_run=false']);
});

test('gc says that the running server has not read the new retention of flwd.yaml', async () => {
  const instance = await createInstance({}, { persistence: { retention: { logs: '2d' } } });
  const { dir } = instance;
  const served = await instance.serve();
  expect(await flwd(dir, 'gc')).toEqual({ stdout: 'removed nothing\n', stderr: '', code: 0 });
  await createInstance({}, { persistence: { retention: { logs: '2d', runs: '1m', audit: 'never' } } }, dir);
  expect(await flwd(dir, 'gc')).toEqual({
    stdout: 'removed nothing\n',
    stderr:
      'the running server keeps runs for 90d and not for 1m, audit entries for 365d and not forever: it reads flwd.yaml when it starts, so restart it\n',
    code: 0,
  });
  await served.stop();
  const again = await instance.serve();
  expect(await flwd(dir, 'gc')).toMatchObject({ stderr: '', code: 0 });
  await again.stop();
});

testWithDisk('on a stopped instance gc frees space even if the disk is full', async () => {
  const dir = createFolder();
  mountDisk(dir, 32);
  const instance = await createInstance({ prints: bash('seq 400000') }, shortLived, dir);
  const served = await instance.serve();
  await served.run('prints');
  await served.stop();
  age(instance);
  const free = fillDisk(dir);

  const { stdout, stderr, code } = await flwd(dir, 'gc');
  free();
  expect({ stdout, stderr, code }).toMatchObject({ code: 0, stdout: expect.stringMatching(/^removed 1 run, /) });
  expect(readdirSync(join(instance.dataDir, 'logs'), { recursive: true })).toHaveLength(1);
});
