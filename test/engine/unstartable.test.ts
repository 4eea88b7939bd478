// Attempts that cannot be started, forever or for a while, and what is left of them.

import { expect, test } from 'vitest';
import { createRunCallers } from '../../src/exec/proc/run-callers.ts';
import { bash } from '../support/jobs.ts';
import { dataFolder, openEngine } from './an-engine.ts';

/** Asks what is to be hidden from it. */
const jobs = { silent: bash(':', { security_profile: 'permissive' }) };

test('without descriptors a run waits until it can be started', async () => {
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
