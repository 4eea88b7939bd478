// A run that cannot be handled is set aside, and does not delay the other runs.

import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import { bash } from '../support/jobs.ts';
import { processesWith } from '../support/processes.ts';
import { dataFolder, openEngine } from './an-engine.ts';

const argspec = { type: 'object', properties: { token: { type: 'string', format: 'secret' } } };
const nap = `sleep 8001.${process.pid}`;
const jobs = {
  hold: bash(`echo held; ${nap}`),
  keeps: bash(`echo held; ${nap}`, { argspec }),
  quick: bash('true', { argspec }),
};

test('a waiting run whose secrets can no longer be read fails as not started, and the runs behind it run', async () => {
  const root = dataFolder();
  const limits = { globalConcurrency: 1 };
  const opened = await openEngine(root, { jobs, limits });
  const holder = await opened.create('hold');
  const sealed = await opened.create('quick', { token: 'hunter2-secret' });
  const open = await opened.create('quick');
  await expect.poll(() => opened.messages(holder)).toEqual(['held']);
  await opened.close();
  rmSync(join(root, 'data', 'secret.key'));

  const next = await openEngine(root, { limits });
  await next.when(holder, ({ status }) => status === 'running');
  await next.engine.cancel(holder, localPrincipal);
  expect(await next.finished(sealed)).toMatchObject({
    status: 'failed',
    reason: 'start_failed',
    started_at: null,
    error: { message: 'the run could not be started; the server log says why' },
  });
  expect(await next.finished(open)).toMatchObject({ status: 'success' });
  expect(next.engine.queue()).toMatchObject({ running: 0 });
});

test('the processes of a running run whose secrets can no longer be read are ended before the run ends as lost', async () => {
  const root = dataFolder();
  const opened = await openEngine(root, { jobs });
  const runId = await opened.create('keeps', { token: 'hunter2-secret' });
  await expect.poll(() => opened.messages(runId)).toEqual(['held']);
  await opened.close();
  rmSync(join(root, 'data', 'secret.key'));

  const next = await openEngine(root);
  expect(await next.finished(runId)).toMatchObject({
    status: 'failed',
    reason: 'lost',
    termination: { signals: [{ signal: 'TERM' }], remaining: 0 },
  });
  expect(processesWith(nap)).toEqual([]);
});

test('the processes of a running run whose log cannot be continued are ended before the run ends as lost and frees its slot', async () => {
  const root = dataFolder();
  const opened = await openEngine(root, { jobs });
  const runId = await opened.create('hold');
  await expect.poll(() => opened.messages(runId)).toEqual(['held']);
  await opened.close();
  const logs = join(root, 'data', 'logs');
  const name = readdirSync(logs, { recursive: true, encoding: 'utf8' }).find((path) => path.endsWith('.raw')) ?? '';
  rmSync(join(logs, name));
  mkdirSync(join(logs, name));

  const next = await openEngine(root);
  expect(await next.finished(runId)).toMatchObject({
    status: 'failed',
    reason: 'lost',
    termination: { signals: [{ signal: 'TERM' }], remaining: 0 },
  });
  expect(processesWith(nap)).toEqual([]);
  expect(next.engine.queue()).toMatchObject({ running: 0 });
});
