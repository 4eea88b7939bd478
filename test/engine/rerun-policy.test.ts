// A rerun of an old revision follows today's policy: it is refused for every reason for which a new run would be
// refused.

import { mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Problem } from '../../src/domain/problem.ts';
import { bash, type JobFiles, writeJob } from '../support/jobs.ts';
import { caller, dataFolder, openEngine } from './an-engine.ts';
import { script, steps } from './step-jobs.ts';

type Options = NonNullable<Parameters<typeof openEngine>[1]>;

/** A job that ran once, under another policy or with another definition than it has now. */
async function once(job: JobFiles, before: Options, after: Options & { readonly job?: JobFiles }, root = dataFolder()) {
  const first = await openEngine(root, { jobs: { job }, ...before });
  const runId = await first.create('job');
  expect(await first.finished(runId)).toMatchObject({ status: 'success' });
  await first.close();
  if (after.job) await writeJob(join(root, 'jobs', 'job'), after.job);
  return { runId, opened: await openEngine(root, after) };
}

/** The error with which a new run is refused. Each rerun must be refused with the same words. */
async function refused({ runId, opened: { engine, create } }: Awaited<ReturnType<typeof once>>): Promise<Problem> {
  const problemOf = (asked: Promise<unknown>): Promise<unknown> => asked.catch((error: unknown) => error);
  const afresh = await problemOf(create('job'));
  if (!(afresh instanceof Problem)) throw new Error('a new run is not refused');
  for (const request of [{}, { revision: 'latest' }] as const) {
    const again = await problemOf(engine.rerun(runId, request, caller));
    expect(again).toBeInstanceOf(Problem);
    expect(again).toMatchObject({ slug: afresh.slug, message: afresh.message });
  }
  return afresh;
}

test('a rerun is refused if the job has been disabled since', async () => {
  const disabled = bash('echo ran', { enabled: false });
  expect(await refused(await once(bash('echo ran'), {}, { job: disabled }))).toMatchObject({
    slug: 'job-invalid',
    message: "The job 'job' is disabled: its config.yaml says enabled: false.",
  });
});

test('a rerun is refused if the instance no longer allows its profile', async () => {
  const loose = bash('echo ran', { security_profile: 'permissive' });
  const after = await once(loose, {}, { security: { allowProfiles: ['secure'] } });
  expect(await refused(after)).toMatchObject({ slug: 'profile-not-allowed' });
});

test('a rerun is refused if the source is no longer trusted and the job needs that', async () => {
  const loose = bash('echo ran', { security_profile: 'permissive' });
  expect(await refused(await once(loose, {}, { trusted: false }))).toMatchObject({
    slug: 'profile-not-allowed',
    message: expect.stringContaining('trusted: false'),
  });
});

test('a rerun is refused if the source is no longer trusted and may not use a stored secret of the job', async () => {
  const root = dataFolder();
  const argspec = {
    type: 'object',
    properties: { token: { type: 'string', format: 'secret', default: { secret: 'key' } } },
  };
  const job = bash('echo ran', { argspec, env: { OTHER: { secret: 'other-key' } } });
  const first = await openEngine(root, { jobs: { job } });
  for (const name of ['key', 'other-key'])
    await first.engine.secrets.put({ tenant: 'default', name, value: `value of ${name}` }, caller.principal);
  const runId = await first.create('job');
  expect(await first.finished(runId)).toMatchObject({ status: 'success' });
  await first.close();
  expect(await refused({ runId, opened: await openEngine(root, { trusted: false }) })).toMatchObject({
    slug: 'source-untrusted',
    message: expect.stringContaining("would get the stored secrets 'key', 'other-key'"),
  });
});

test('a rerun is refused if the source is no longer trusted and may not call the job’s webhook', async () => {
  const calls = bash('echo ran', { notify: { on: ['failed'], webhook: 'http://127.0.0.1:9/' } });
  expect(await refused(await once(calls, {}, { trusted: false }))).toMatchObject({ slug: 'source-untrusted' });
});

test('a rerun is refused if an untrusted source wrote the old code and a trusted one has the job now', async () => {
  const { runId, opened } = await once(bash('echo old'), { trusted: false }, { job: bash('echo new') });
  await expect(opened.engine.rerun(runId, {}, caller)).rejects.toMatchObject({
    slug: 'source-untrusted',
    message: `The run '${runId}' came from the source 'local-fs', which was not trusted, and the job now comes from 'local-fs', which is trusted: run its latest revision.`,
  });
  const { runId: next } = await opened.engine.rerun(runId, { revision: 'latest' }, caller);
  await opened.finished(next);
  expect(await opened.messages(next)).toEqual(['new']);
});

test('a rerun does not give the files of a trusted run to new code of an untrusted source', async () => {
  const job = steps(
    { steps: [script('a'), script('b', { needs: ['a'] })] },
    { a: 'echo of the trusted run > file', b: 'exit 1' },
  );
  const root = dataFolder();
  const first = await openEngine(root, { jobs: { job } });
  const runId = await first.create('job');
  await first.finished(runId);
  await first.close();
  const { engine, finished } = await openEngine(root, { trusted: false });
  await expect(engine.rerun(runId, { revision: 'latest', from: 'failed' }, caller)).rejects.toMatchObject({
    slug: 'source-untrusted',
    message: `The run '${runId}' may have left files that the source 'local-fs', which is not trusted, must not see: run it from the start.`,
  });
  for (const request of [{ revision: 'latest' }, { from: 'failed' }] as const)
    await finished((await engine.rerun(runId, request, caller)).runId);
});

test('after a job moved to another untrusted source, a rerun uses neither the old code nor the old files', async () => {
  const job = steps(
    { steps: [script('a'), script('b', { needs: ['a'] })] },
    { a: 'echo of the source a > file', b: 'exit 1' },
  );
  const root = dataFolder();
  const first = await openEngine(root, { jobs: { job }, trusted: false, source: 'a' });
  const runId = await first.create('job');
  await first.finished(runId);
  await first.close();
  const { engine, finished } = await openEngine(root, { trusted: false, source: 'b' });
  for (const from of ['start', 'failed', { step: 'b' }] as const) {
    await expect(engine.rerun(runId, { from }, caller)).rejects.toMatchObject({
      slug: 'source-untrusted',
      message: `The run '${runId}' came from the source 'a', which was not trusted, and the job now comes from 'b': run its latest revision.`,
    });
  }
  for (const from of ['failed', { step: 'b' }] as const) {
    await expect(engine.rerun(runId, { revision: 'latest', from }, caller)).rejects.toMatchObject({
      slug: 'source-untrusted',
      message: `The run '${runId}' may have left files that the source 'b', which is not trusted, must not see: run it from the start.`,
    });
  }
  const { runId: next } = await engine.rerun(runId, { revision: 'latest' }, caller);
  expect(await finished(next)).toMatchObject({ rerun_of: runId, source: { name: 'b' } });
});

test('a rerun is refused if `may_grant` no longer lists its grant', async () => {
  const network = bash('echo ran', { permissions: { network: 'all' } });
  const after = await once(network, { security: { mayGrant: () => ['network'] } }, {});
  expect(await refused(after)).toMatchObject({
    slug: 'grant-not-allowed',
    message: expect.stringContaining('may_grant'),
  });
});

test('a rerun is refused if its path is no longer below any of `security.paths`', async () => {
  const root = dataFolder();
  const dir = join(realpathSync(root), 'shared');
  mkdirSync(dir);
  const reads = bash('echo ran', { permissions: { read: [dir] } });
  const mayGrant = () => ['read'] as const;
  const after = await once(reads, { security: { mayGrant, paths: [dir] } }, { security: { mayGrant } }, root);
  expect(await refused(after)).toMatchObject({
    slug: 'grant-not-allowed',
    message: expect.stringContaining('security.paths'),
  });
});

test('a rerun uses the stricter profile that the job has been given since', async () => {
  const loose = bash('echo loose', { security_profile: 'permissive' });
  const tight = bash('echo tight', { security_profile: 'secure' });
  const { runId, opened } = await once(loose, {}, { job: tight });
  const { runId: next } = await opened.engine.rerun(runId, {}, caller);
  expect(await opened.finished(next)).toMatchObject({ status: 'success', security: { profile: 'secure' } });
  expect(await opened.messages(next)).toEqual(['loose']);
});
