// Attempts that can never be started, or not yet, and what they leave.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import { createRunCallers } from '../../src/exec/proc/run-callers.ts';
import { bash } from '../support/jobs.ts';
import { dataFolder, openEngine } from './an-engine.ts';

/** To start a permissive job, the engine asks which paths must be hidden from it. */
const jobs = { silent: bash(':', { security_profile: 'permissive' }) };

test('when file descriptors run out, a run waits until it can be started', async () => {
  let tries = 0;
  const masked = () => {
    tries += 1;
    if (tries === 1) throw Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' });
    return [];
  };
  const { create, finished } = await openEngine(dataFolder(), { jobs, execution: { masked } });
  expect(await finished(await create('silent'))).toMatchObject({ status: 'success', error: null });
  expect(tries).toBe(2);
});

test('an attempt that could not be started may no longer call the server', async () => {
  const runCallers = createRunCallers();
  const masked = () => {
    throw new Error('a fault');
  };
  const { create, finished } = await openEngine(dataFolder(), { jobs, execution: { masked, runCallers } });
  expect(await finished(await create('silent'))).toMatchObject({ status: 'failed', reason: 'start_failed' });
  await runCallers.ownerOf('1');
  expect(runCallers.canCall()).toBe(false);
});

test('a waiting run whose revision’s files are gone fails as not started, says why, and shows no path', async () => {
  const root = dataFolder();
  const opened = await openEngine(root, {
    jobs: { hold: bash('sleep 8031'), waits: bash('echo started') },
    limits: { globalConcurrency: 1 },
  });
  const holder = await opened.create('hold');
  await opened.when(holder, ({ status }) => status === 'running');
  const waiting = await opened.create('waits');
  const { plan } = (await opened.store.runs.execution(waiting)) ?? expect.fail('it has no plan');
  const dir = join(root, 'data', 'snapshots', plan.revision);
  rmSync(dir, { recursive: true });
  await opened.engine.cancel(holder, localPrincipal);
  expect(await opened.finished(waiting)).toMatchObject({
    status: 'failed',
    reason: 'start_failed',
    error: { message: 'the files of its revision no longer exist: run the job again with its current files' },
  });
  expect(await opened.messages(waiting)).toEqual([]);
  expect(opened.log.map(({ err }) => err)).toContainEqual(expect.objectContaining({ message: `${dir} is missing` }));
  expect(await opened.finished(await opened.create('waits'))).toMatchObject({ status: 'success' });
});
