// When the database refuses a write once, no slot is lost, and nothing starts that was not stored.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { dataFolder, type Opened, openEngine } from './an-engine.ts';
import { script, steps } from './step-jobs.ts';

/** The next transactions are refused, or held back until the test releases them. */
function refuseWrites({ store }: Opened, answer: () => Promise<never>): () => void {
  const { transact } = store.db;
  const giveBack = (): void => void Object.assign(store.db, { transact });
  Object.assign(store.db, { transact: answer });
  onTestFinished(giveBack);
  return giveBack;
}

test('a run of parallel steps whose start cannot be stored gives back every slot', async () => {
  const jobs = { wide: steps({ steps: [script('a'), script('b'), script('c')] }, { a: 'true', b: 'true', c: 'true' }) };
  const opened = await openEngine(dataFolder(), { jobs });
  await opened.finished(await opened.create('wide'));
  const giveBack = refuseWrites(opened, () => Promise.reject(new Error('refused')));
  await expect(opened.create('wide')).rejects.toMatchObject({ slug: 'execution-error' });
  giveBack();
  expect(opened.engine.queue()).toMatchObject({ running: 0 });
  expect(await opened.finished(await opened.create('wide'))).toMatchObject({ status: 'success' });
});

test('a run whose next step cannot be stored ends as lost, and gives back the slot of that step', async () => {
  const jobs = {
    chain: steps(
      { steps: [script('a'), script('b', { needs: ['a'] })] },
      { a: 'echo held; until [ -e go ]; do sleep 0.02; done', b: 'echo never' },
    ),
  };
  const root = dataFolder();
  const opened = await openEngine(root, { jobs });
  const runId = await opened.create('chain');
  await expect.poll(() => opened.messages(runId)).toEqual(['held']);
  const { apply } = opened.store.runs;
  Object.assign(opened.store.runs, { apply: () => Promise.reject(new Error('refused')) });
  onTestFinished(() => void Object.assign(opened.store.runs, { apply }));
  writeFileSync(join(root, 'data', 'runs', runId, 'workspace', 'go'), '');
  const run = await opened.finished(runId);
  expect(run).toMatchObject({ status: 'failed', reason: 'lost' });
  expect(run.steps.map(({ finished_at }) => finished_at)).not.toContain(null);
  expect(await opened.messages(runId)).toEqual(['held']);
  expect(opened.engine.queue()).toMatchObject({ running: 0 });
});
