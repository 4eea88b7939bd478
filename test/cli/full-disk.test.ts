// What commands do when the disk of the data dir is full.

import { statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { fillDisk, fillInodes, mountDisk, testWithDisk } from '../support/small-disk.ts';
import { createInstance } from './an-instance.ts';
import { createFolder, flwd, start } from './terminal.ts';

const full = /^The server cannot write its data: the disk is full \([\d.]+ \w+ free\): free space, or run flwd gc\.\n$/;

testWithDisk('without a server, commands that read work, and commands that write say what to do', async () => {
  const dir = createFolder();
  mountDisk(dir, 32);
  const instance = await createInstance({ hello: bash('echo hello') }, {}, dir);
  const server = await instance.serve();
  const runId = await server.start('hello');
  await server.finished(runId);
  await server.stop();
  const free = fillDisk(dir);
  for (const words of [['runs'], ['logs', runId], ['jobs'], ['audit'], ['tokens', 'list']])
    expect({ words, ...(await flwd(dir, ...words)) }).toMatchObject({ words, code: 0 });
  expect(await flwd(dir, 'run', 'hello')).toMatchObject({ code: 6, stderr: expect.stringMatching(full) });
  const doctor = await flwd(dir, 'doctor');
  expect(doctor.stdout).toMatch(
    /^fail {2}data dir .*: the disk is full \([\d.]+ \w+ free\), so no run starts\n +→ free space/m,
  );
  free();
  expect(await flwd(dir, 'run', 'hello')).toMatchObject({ code: 0 });
});

testWithDisk('a server starts, refuses runs with the same message, and recovers once there is space', async () => {
  const dir = createFolder();
  mountDisk(dir, 32);
  const { serve } = await createInstance({ hello: bash('echo hello') }, {}, dir);
  await (await serve()).stop();
  const free = fillDisk(dir);
  const server = await serve();
  const post = (): Promise<Response> =>
    server.fetch('/runs', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"job_id":"hello"}',
    });
  for (let n = 0; n < 10; n++) {
    const response = await post();
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('5');
    expect(await response.json()).toMatchObject({ type: 'https://flowd.org/problems/not-ready', retry_after: 5 });
  }
  expect(await server.json('/health')).toMatchObject({ status: 'unhealthy', checks: { disk: { status: 'failing' } } });
  expect((await server.fetch('/runs')).status).toBe(200);
  free();
  expect(await server.run('hello')).toMatchObject({ status: 'success' });
  await server.stop();
});

testWithDisk(
  'disk space that a server takes from the reserve is put back into the reserve when the server stops',
  async () => {
    const dir = createFolder();
    mountDisk(dir, 32);
    const { dataDir, serve } = await createInstance({ hello: bash('echo hello') }, {}, dir);
    await (await serve()).stop();
    fillDisk(dir);
    truncateSync(join(dir, 'filler'), statSync(join(dir, 'filler')).size - 700 * 1024);
    const reserve = join(dataDir, 'reserve');
    expect(statSync(reserve).size).toBe(4 * 2 ** 20);
    const server = await serve();
    expect(await server.json('/health')).toMatchObject({ checks: { disk: { status: 'ok' } } });
    expect(statSync(reserve).size).toBe(3.5 * 2 ** 20);
    await server.stop();
    expect(statSync(reserve).size).toBe(4 * 2 ** 20);
  },
);

testWithDisk('a command that writes says so if there is no free inode', async () => {
  const dir = createFolder();
  mountDisk(dir, 32, 400);
  const { serve } = await createInstance({ hello: bash('echo hello') }, {}, dir);
  await (await serve()).stop();
  fillInodes(dir);
  const { code, stderr } = await flwd(dir, 'run', 'hello');
  expect(code).toBe(6);
  expect(stderr).toMatch(
    /the disk has no room for more files|the disk is full \(no free bytes or inodes\)|^the disk that holds .* is full/,
  );
  expect(stderr.trim().split('\n')).toHaveLength(1);
  const doctor = await flwd(dir, 'doctor');
  expect(doctor.stdout).toMatch(
    /^fail {2}data dir .*: the disk has no room for more files \(free inodes: \d+\), so no run starts\n +→ free space, or run flwd gc$/m,
  );
});

test('a file that is not a database is reported with a fix', async () => {
  const dir = createFolder();
  const { dataDir, serve } = await createInstance({ hello: bash('echo hello') }, {}, dir);
  await (await serve()).stop();
  writeFileSync(join(dataDir, 'flwd.db'), Buffer.alloc(8192, 'garbage'));
  const words = `the database ${dataDir}/flwd.db is damaged: file is not a database; restore a backup (flwd restore), or move the file away to start without its runs\n`;
  for (const command of [['serve'], ['runs'], ['audit'], ['backup', join(createFolder(), 'copy')]])
    expect({ command, ...(await start(dir, command).ended) }).toMatchObject({
      command,
      code: 2,
      stdout: '',
      stderr: words,
    });
});
