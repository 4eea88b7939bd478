// A folder of jobs that disappears while the server runs, or that does not exist yet when it starts.

import { mkdirSync, readFileSync, renameSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bash, writeJob } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd, start } from './terminal.ts';

type Health = {
  readonly status: string;
  readonly checks: { readonly sources: { readonly status: string; readonly detail?: string } };
};

const cases = [
  ['the default source', {}],
  ['a source of flwd.yaml', { sources: [{ name: 'local-fs', path: './jobs' }] }],
] as const;

test.each(cases)(
  'when the folder of %s disappears, the server and the commands continue and say so',
  async (_, config) => {
    const { dir, serve } = await createInstance({ etl: bash('echo done') }, config);
    const { run, json } = await serve();
    const { run_id: runId } = await run('etl');
    const jobs = join(dir, 'jobs');
    renameSync(jobs, join(dir, 'away'));
    const health = () => json<Health>('/health');
    await expect.poll(health).toMatchObject({
      status: 'degraded',
      checks: { sources: { status: 'degraded', detail: 'the folder of jobs is missing or cannot be read: local-fs' } },
    });

    const sources = await flwd(dir, 'sources');
    expect(sources.stdout.split('\n')[1]?.split(/ {2,}/)).toEqual(['local-fs', 'fs', jobs, 'missing', '0', 'yes']);
    expect((await flwd(dir, 'sources', 'get', 'local-fs')).stdout).toContain('problem  its folder is missing');
    const doctor = await flwd(dir, 'doctor');
    expect(doctor.stdout).toMatch(
      /^warn {2}sources {2,}local-fs has no jobs, because there is no folder \S+\/jobs\n +→ mount it or put it back/m,
    );
    expect((await flwd(dir, 'runs', '--json')).stdout).toContain(runId);
    expect(await flwd(dir, 'logs', runId)).toMatchObject({ code: 0, stdout: expect.stringContaining('done') });
    expect(await flwd(dir, 'jobs', '--json')).toMatchObject({ code: 0 });
    expect(await flwd(dir, 'schedules')).toMatchObject({ code: 0 });
    const rerun = await flwd(dir, 'rerun', runId);
    expect(rerun.code).toBe(3);
    expect(rerun.stderr).toContain(
      "The job 'etl' no longer exists. The present config.yaml of a job decides whether an old revision may run, so put the job back first. The folders of these sources are missing or cannot be read: local-fs.",
    );

    mkdirSync(jobs);
    const ofServer =
      /^warn {2}sources {2,}local-fs has no jobs: the running server finds \S+\/jobs empty, or cannot read/m;
    expect((await flwd(dir, 'doctor')).stdout).toMatch(ofServer);
    rmdirSync(jobs);
    renameSync(join(dir, 'away'), jobs);
    await expect.poll(health).toMatchObject({ checks: { sources: { status: 'ok' } } });
    expect(await flwd(dir, 'rerun', runId)).toMatchObject({ code: 0 });
    expect((await flwd(dir, 'doctor')).stdout).toMatch(/^ok {4}sources {2,}local-fs in \S+\/jobs$/m);
  },
);

test.each(cases)('a server starts without the folder of %s, says so, and finds its jobs later', async (_, config) => {
  const { dir } = await createInstance({}, config);
  renameSync(join(dir, 'jobs'), join(dir, 'away'));
  const server = start(dir, ['serve']);
  await server.prints(/listening on/);
  await server.prints(/there is no folder \.\/jobs, so the jobs of this source cannot run until the folder exists/);
  expect((await flwd(dir, 'sources')).stdout).toContain('missing');
  await writeJob(join(dir, 'jobs/etl'), bash('echo done'));
  await expect.poll(async () => (await flwd(dir, 'jobs', '--json')).stdout).toContain('etl');
  expect(await flwd(dir, 'run', 'etl')).toMatchObject({ code: 0 });
});

test('a server that starts with an empty folder in place of its jobs says so, and finds them later', async () => {
  const { dir, serve } = await createInstance({ etl: bash('echo done') });
  const { run, stop } = await serve();
  await run('etl');
  await stop();
  const jobs = join(dir, 'jobs');
  renameSync(jobs, join(dir, 'away'));
  mkdirSync(jobs);
  const server = start(dir, ['serve']);
  await server.prints(/the folder of a source is empty, although it had jobs/);
  expect((await flwd(dir, 'sources')).stdout).toContain('missing');
  expect((await flwd(dir, 'doctor')).stdout).toMatch(
    /^warn {2}sources {2,}.*\n +→ .*; if it should have no jobs, put/m,
  );
  rmdirSync(jobs);
  renameSync(join(dir, 'away'), jobs);
  await expect.poll(async () => (await flwd(dir, 'sources')).stdout).not.toContain('missing');
  expect(await flwd(dir, 'run', 'etl')).toMatchObject({ code: 0 });
});

test('doctor names a source that flwd.yaml has but the running server does not know', async () => {
  const { dir, serve } = await createInstance({}, { sources: [{ path: './jobs' }] });
  await serve();
  mkdirSync(join(dir, 'more'));
  const config = readFileSync(join(dir, 'flwd.yaml'), 'utf8');
  writeFileSync(join(dir, 'flwd.yaml'), config.replace('"./jobs"}', '"./jobs"},{"path":"./more"}'));
  expect((await flwd(dir, 'doctor')).stdout).toMatch(
    /^warn {2}sources {2,}the running server does not know more\n +→ restart the server$/m,
  );
});

test('doctor and reload do not expect the default folder if the server got its folders from --jobs', async () => {
  const { dir, serve } = await createInstance({});
  renameSync(join(dir, 'jobs'), join(dir, 'scripts'));
  await serve('--jobs', './scripts');
  expect((await flwd(dir, 'doctor')).stdout).toMatch(/^ok {4}sources {2,}scripts in .*$/m);
  expect((await flwd(dir, 'sources', 'reload')).stderr).not.toContain('restart the server');
});

test('without a server, commands say which folder is missing', async () => {
  const { dir } = await createInstance({}, { sources: [{ path: './jobs' }, { path: './more' }] });
  const { code, stderr } = await flwd(dir, 'jobs');
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stderr).toMatch(
    /^flwd: flwd\.yaml:1:\d+: there is no folder \.\/more, so the jobs of this source cannot run until the folder exists$/m,
  );
  expect((await flwd(dir, 'init', 'jobs/hello')).stderr).not.toContain('none of the configured sources');
});
