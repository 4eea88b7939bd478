// A server that stops leaves its running runs to the next one, with nothing half written.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { dataFolder, openEngine } from './an-engine.ts';
import { script, steps } from './step-jobs.ts';

test('a run whose script has ended when the server stops keeps its whole log', async () => {
  const root = dataFolder();
  const leaves = bash(`seq 3; truncate -s 16M "$FLWD_ARTIFACTS_DIR/large"`);
  const opened = await openEngine(root, { jobs: { leaves } });
  const runId = await opened.create('leaves');
  await opened.when(runId, ({ started_at }) => started_at !== null);
  await expect.poll(() => opened.engine.queue().running, { interval: 1 }).toBe(0);
  await opened.engine.close();
  await opened.finished(runId);
  await opened.close();

  const next = await openEngine(root);
  expect(await next.finished(runId)).toMatchObject({ status: 'success' });
  expect(await next.messages(runId)).toEqual(['1', '2', '3']);
});

test('a run that was about to start when the server stops is started by the next one', async () => {
  const root = dataFolder();
  const limits = { globalConcurrency: 20 };
  const opened = await openEngine(root, { jobs: { greets: bash('echo hello') }, limits });
  const runIds: string[] = [];
  // The server stops while runs are being created: the last ones are in the database and have no process yet.
  const making = Array.from({ length: 20 }, async () => {
    runIds.push(await opened.create('greets'));
    if (runIds.length === 5) await opened.engine.close();
  });
  await Promise.allSettled(making);
  await opened.close();
  expect(opened.log.filter(({ level }) => Number(level) >= 50)).toEqual([]);

  const next = await openEngine(root, { limits });
  for (const runId of runIds) {
    expect(await next.finished(runId)).toMatchObject({ status: 'success' });
    expect(await next.messages(runId)).toEqual(['hello']);
  }
});

test.each([
  ['single', bash('seq 300 | xargs touch'), []],
  [
    'steps',
    steps({ steps: [script('work')] }, { work: 'cd "${FLWD_OUTPUT_FILE%/*}" && seq 300 | xargs touch' }),
    ['workspace'],
  ],
])('a server that stops first clears the folder of a run that has ended (%s)', async (_, files, kept) => {
  const root = dataFolder();
  const opened = await openEngine(root, { jobs: { litters: files } });
  const runId = await opened.create('litters');
  await opened.when(runId, ({ finished_at }) => finished_at !== null);
  await opened.engine.close();
  const runDir = join(root, 'data', 'runs', runId);
  expect(existsSync(runDir) ? readdirSync(runDir) : []).toEqual(kept);
});
