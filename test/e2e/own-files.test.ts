// No profile and no permission shows a job the server's own files, wherever the operator put them.

import { chmod, mkdir, mkdtemp, readFile, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect } from 'vitest';
import type { ProblemAnswer } from '../support/answers.ts';
import { testWith } from '../support/host.ts';
import { bash, writeJob } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';
import { mountOn, testWithDisk } from '../support/small-disk.ts';

const test = testWith('bwrap');

// A permissive job has its own /tmp, which would hide all of these files.
const base = await realpath(await mkdtemp('/var/tmp/flwd-own-'));
await chmod(base, 0o755);
for (const name of ['real/data', 'database', 'keys', 'granted', 'source', 'volume/..1', 'volume/..2'])
  await mkdir(join(base, name), { recursive: true });
await symlink(join(base, 'real'), join(base, 'link'));
const own = {
  data: join(base, 'real', 'data'),
  database: join(base, 'database', 'flwd.db'),
  blobs: join(base, 'blobs'),
  key: join(base, 'keys', 'secret.key'),
  signingKey: join(base, 'keys', 'notify.key'),
  jwks: join(base, 'volume', 'jwks.json'),
};
// This is how Kubernetes mounts a secret, which it renews by switching the link `..data`.
for (const version of ['..1', '..2']) await writeFile(join(base, 'volume', version, 'jwks.json'), '{"keys": []}');
await symlink('..1', join(base, 'volume', '..data'));
await symlink('..data/jwks.json', own.jwks);
const show = `for file in "$target" "$target"/* "$target"/*/*; do
  if [[ -f $file || -S $file ]]; then echo "$file"; fi
done`;
const argspec = { type: 'object', properties: { target: { type: 'string' } } };
const server = await startServer({
  jobs: {
    reader: bash(show, { argspec, permissions: { read: [{ arg: 'target' }] } }),
    writer: bash(show, { argspec, permissions: { write: [{ arg: 'target' }] } }),
    permissive: bash(show, { argspec, security_profile: 'permissive' }),
    'permissive-writer': bash(show, {
      argspec,
      security_profile: 'permissive',
      permissions: { write: [{ arg: 'target' }] },
    }),
  },
  config: {
    instance: { data_dir: join(base, 'link', 'data') },
    persistence: { db_path: own.database, blobs: { path: own.blobs }, secret_key_file: own.key },
    notify: { signing_key_file: own.signingKey },
    auth: { jwt: { issuer: 'https://id.example.org/', audience: 'flwd', jwks_file: own.jwks } },
    security: { paths: [base], profiles: { permissive: { may_grant: ['write'] } } },
  },
});
afterAll(async () => {
  await server.close();
  await rm(base, { recursive: true });
});

const places = {
  'the data dir': own.data,
  'the data dir through a link': join(base, 'link', 'data'),
  'a file of the data dir': join(own.data, 'flwd.lock'),
  'what is not there, in the data dir': join(own.data, 'nothing'),
  'the database': own.database,
  'the database’s log': `${own.database}-wal`,
  'the database’s index': `${own.database}-shm`,
  'the keys that sign notices': own.signingKey,
  'the keys of those who are let in': own.jwks,
  'the logs': join(own.blobs, 'logs'),
  'the artifacts’ folder': own.blobs,
  'the key': own.key,
};

test.each(Object.entries(places))('%s cannot be granted to a job', async (_, target) => {
  for (const job_id of ['reader', 'writer', 'permissive-writer']) {
    const answer = await server.fetch('/runs', { body: { job_id, args: { target } } });
    const problem: ProblemAnswer = JSON.parse(await answer.text());
    expect({ status: answer.status, detail: problem.detail }, job_id).toEqual({
      status: 422,
      detail: `'${target}' belongs to the server itself, so no job may see it.`,
    });
  }
});

const around = [base, join(base, 'real'), join(base, 'database'), join(base, 'keys'), join(base, 'link')];

test.each(around)('%s, which contains some of these files, cannot be granted for writing', async (target) => {
  for (const job_id of ['writer', 'permissive-writer']) {
    const answer = await server.fetch('/runs', { body: { job_id, args: { target } } });
    const problem: ProblemAnswer = JSON.parse(await answer.text());
    expect({ status: answer.status, detail: problem.detail }, job_id).toEqual({
      status: 422,
      detail: `'${target}' must not be writable by a job, because it contains files of the server itself.`,
    });
  }
});

test.each(['reader', 'permissive'])(
  'a job that can read everything around these files cannot find them (%s)',
  async (jobId) => {
    for (const target of around) {
      const run = await server.run(jobId, { target });
      expect({ status: run.status, seen: await server.messages(run.run_id) }, target).toEqual({
        status: 'success',
        seen: [],
      });
    }
    expect((await readFile(own.key)).length).toBeGreaterThan(0);
  },
);

test('the new target of a switched link is hidden as well', async () => {
  const renewed = join(base, 'volume', '..2');
  const seenBy = async (jobId: string) => server.messages((await server.run(jobId, { target: renewed })).run_id);
  // The permissive job can still read the new target, so the later checks are meaningful.
  expect(await seenBy('permissive')).toEqual([join(renewed, 'jwks.json')]);
  await symlink('..2', join(base, 'volume', '..next'));
  await rename(join(base, 'volume', '..next'), join(base, 'volume', '..data'));
  for (const jobId of ['reader', 'permissive']) expect(await seenBy(jobId)).toEqual([]);
  for (const jobId of ['writer', 'permissive-writer']) await expect(seenBy(jobId)).rejects.toThrow('grant-not-allowed');
  for (const version of ['..1', '..2']) {
    const args = { target: join(base, 'volume', version, 'jwks.json') };
    expect((await server.fetch('/runs', { body: { job_id: 'reader', args } })).status, version).toBe(422);
  }
});

describe('if a file system with the server’s files is mounted a second time,', () => {
  /** For each mount: its name, the path that is bind-mounted, and the part of that path that belongs to the server. */
  const mounts: readonly (readonly [string, string, string])[] = [
    ['the data dir', own.data, ''],
    ['a folder in the data dir', join(own.data, 'runs'), ''],
    ['a folder above the data dir', join(base, 'real'), 'data'],
    ['the folder of the database', join(base, 'database'), 'flwd.db'],
    ['the folder of the keys', join(base, 'keys'), 'notify.key'],
  ];

  async function mountedAgain(path: string): Promise<string> {
    const place = await mkdtemp(join(base, 'again-'));
    mountOn(place, '--bind', path);
    return place;
  }

  testWithDisk.each(mounts)('jobs cannot see %s there', async (_, path, within) => {
    const target = await mountedAgain(path);
    const seen = join(target, within);
    for (const jobId of ['permissive', ...(within === '' ? [] : ['reader'])]) {
      const run = await server.run(jobId, { target });
      expect({ status: run.status, seen: await server.messages(run.run_id) }, jobId).toEqual({
        status: 'success',
        seen: [],
      });
    }
    for (const job_id of ['reader', 'writer', 'permissive-writer']) {
      const answer = await server.fetch('/runs', { body: { job_id, args: { target: seen } } });
      const problem: ProblemAnswer = JSON.parse(await answer.text());
      expect({ status: answer.status, detail: problem.detail }, job_id).toEqual({
        status: 422,
        detail: `'${seen}' belongs to the server itself, so no job may see it.`,
      });
    }
  });

  testWithDisk('a file system mounted in the data dir is hidden at its other mount points, too', async () => {
    const inner = join(own.data, 'mounted');
    const target = await mkdtemp(join(base, 'again-'));
    await mkdir(inner);
    mountOn(target, '-t', 'tmpfs', 'flwd-test');
    mountOn(inner, '--bind', target);
    await writeFile(join(target, 'file'), 'of the server');
    expect(await server.messages((await server.run('permissive', { target })).run_id)).toEqual([]);
  });

  testWithDisk('a mount on top of the files there stays visible', async () => {
    const target = await mountedAgain(own.data);
    mountOn(target, '-t', 'tmpfs', '-o', 'mode=755', 'flwd-test');
    await writeFile(join(target, 'file'), 'of the host');
    for (const jobId of ['permissive', 'reader'])
      expect(await server.messages((await server.run(jobId, { target })).run_id)).toEqual([join(target, 'file')]);
  });
});

test('a folder beside these files can still be granted', async () => {
  for (const jobId of ['reader', 'writer', 'permissive-writer'])
    expect(await server.run(jobId, { target: join(base, 'granted') })).toMatchObject({ status: 'success' });
});

test('the data dir and the key in a job’s folder are not part of its revision', async () => {
  const source = join(base, 'source');
  await using inside = await startServer({
    config: {
      sources: [{ name: 'ops', type: 'fs', path: source, mountPath: 'ops' }],
      instance: { data_dir: join(source, '.data') },
      persistence: { secret_key_file: join(source, 'secret.key') },
    },
    jobs: {},
  });
  await writeJob(source, bash('ls -A /job'));
  await expect.poll(async () => (await inside.fetch('/jobs/ops')).status).toBe(200);

  const run = await inside.run('ops');
  expect(await inside.messages(run.run_id)).toEqual(['config.yaml', 'run.sh']);
  const { revision } = await inside.json<{ revision: string }>('/jobs/ops');
  expect(run).toMatchObject({ source: { revision } });
});
