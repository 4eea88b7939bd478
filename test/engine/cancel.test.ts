import { expect, test } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import { bash } from '../support/jobs.ts';
import { dataFolder, openEngine } from './an-engine.ts';

test('a cancel that comes after the script has ended is too late, though its artifacts are still being put away', async () => {
  const leaves = bash('truncate -s 128M "$FLWD_ARTIFACTS_DIR/large"; flwd_result 7');
  const opened = await openEngine(dataFolder(), { jobs: { leaves } });
  const runId = await opened.create('leaves');
  await opened.when(runId, ({ started_at }) => started_at !== null);
  await expect.poll(() => opened.engine.queue().running, { interval: 1 }).toBe(0);

  await expect(opened.engine.cancel(runId, localPrincipal)).rejects.toMatchObject({ slug: 'run-already-finished' });
  expect(await opened.store.runs.get(runId)).toMatchObject({ status: 'success', result: { value: 7 }, exit_code: 0 });
});
