// The image of packaging/Dockerfile, for a reader of docs/install.md. release/image.bash builds it first, and gives
// these tests a copy of the checkout, and a Podman and a network that nothing else uses.

import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { blocksOf } from '../docs/pages.ts';

const scratch = process.env.FLWD_TEST_SCRATCH ?? '';
const checkout = join(scratch, 'checkout');
const reader = 1234;
const userOfTheImage = 10_001;

const [start = '', backup = '', restore = ''] = blocksOf('docs/install.md')
  .filter(({ text }) => text.includes('docker '))
  .map(({ text }) =>
    text.replaceAll('$(id -u):$(id -g)', `${reader}:${reader}`).replaceAll('/mnt/backup', `${scratch}/backup`),
  );

type Result = { readonly status: number | null; readonly stdout: string; readonly stderr: string };

function bash(commands: string, uid = 0): Result {
  const { status, stdout, stderr } = spawnSync('bash', ['-euc', commands], {
    cwd: checkout,
    encoding: 'utf8',
    uid,
    gid: uid,
  });
  return { status, stdout, stderr };
}

function must(commands: string, uid?: number): string {
  const { status, stdout, stderr } = bash(commands, uid);
  if (status !== 0) throw new Error(`${commands} ended with ${status}:\n${stdout}${stderr}`);
  return stdout;
}

/** Makes the folders of `start`. They belong to the reader, who is not root. */
function createFolders(owner: number): void {
  const job = join(checkout, 'jobs/hello');
  mkdirSync(job, { recursive: true });
  writeFileSync(join(job, 'config.yaml'), 'command: ./main.sh\n');
  writeFileSync(join(job, 'main.sh'), '#!/bin/sh\necho "hello from $(id -u)"\n');
  chmodSync(join(job, 'main.sh'), 0o755);
  for (const folder of [join(checkout, 'data'), join(scratch, 'backup')]) {
    mkdirSync(folder);
    chownSync(folder, owner, owner);
  }
}

const isHealthy = () => expect.poll(() => bash('docker healthcheck run flwd').status).toBe(0);

function call(uid: number, path: string, options = ''): string {
  return must(`curl --silent --show-error ${options} http://127.0.0.1:8080/api/v1${path}`, uid);
}

/** Starts a run and returns its log. */
async function runs(job: string, uid: number): Promise<string> {
  const body = `--header 'content-type: application/json' --data '{"job_id":"${job}"}'`;
  const { run_id: id } = JSON.parse(call(uid, '/runs', body));
  await expect.poll(() => JSON.parse(call(uid, `/runs/${id}`)).status).toBe('success');
  return call(uid, `/runs/${id}/logs`, "--header 'accept: text/plain'");
}

beforeEach(() => {
  must(`rm -rf data jobs ${scratch}/backup`);
});
afterEach(() => {
  must('docker rm --force --volumes flwd');
});

test('the commands of docs/install.md start a healthy server for a user whom the image does not know', async () => {
  createFolders(reader);
  expect(must(start)).toContain('The default profile, secure, can be enforced on this host.');
  await isHealthy();

  expect(await runs('hello', reader)).toContain(`hello from ${reader}`);
  expect(call(4321, '/jobs')).toContain('unauthenticated');
  expect(must('docker exec flwd flwd runs')).toMatch(/ hello +success /);
  expect(bash('docker exec flwd flwd doctor')).toMatchObject({ status: 0, stderr: '' });
});

test('docker stop ends the server with SIGTERM, and the next start has its runs', async () => {
  createFolders(reader);
  must(start);
  await isHealthy();
  await runs('hello', reader);

  must('docker stop flwd');
  expect(must('docker inspect --format {{.State.ExitCode}} flwd')).toBe('0\n');
  expect(must('docker logs flwd 2>&1')).toMatch(/SIGTERM.*"stopped"/s);

  must('docker start flwd');
  await isHealthy();
  expect(JSON.parse(call(reader, '/runs')).runs).toMatchObject([{ job_id: 'hello', status: 'success' }]);
});

test('a backup that is made while the server runs can be restored', async () => {
  createFolders(reader);
  must(start);
  await isHealthy();
  await runs('hello', reader);
  must(backup);
  await runs('hello', reader);
  expect(JSON.parse(call(reader, '/runs')).runs).toHaveLength(2);

  must(restore);
  await isHealthy();
  expect(JSON.parse(call(reader, '/runs')).runs).toHaveLength(1);
});

test('without --user, the server runs as the user of the image', async () => {
  createFolders(userOfTheImage);
  must(start.replace(/ --user "\S+"/, ''));
  await isHealthy();
  expect(await runs('hello', userOfTheImage)).toContain(`hello from ${userOfTheImage}`);
  expect(must('docker exec flwd id --user')).toBe(`${userOfTheImage}\n`);
});

test('a flwd.yaml of the reader replaces that of the image', async () => {
  createFolders(reader);
  writeFileSync(join(checkout, 'flwd.yaml'), 'sources: [{ name: mine, path: /jobs }]\n');
  must(start.replace(' --volume', ' --volume ./flwd.yaml:/etc/flwd/flwd.yaml:ro --volume'));
  await isHealthy();
  expect(must('docker exec flwd flwd jobs')).toMatch(/ mine/);
});
