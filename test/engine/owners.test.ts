// Several engines on one database. Each drives its own runs, and takes over runs of another engine only after the lease
// of that engine has expired.

import { cpSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { processesWith } from '../support/processes.ts';
import { dataFolder, type Opened, openEngine } from './an-engine.ts';
import { movableClock, stillClock } from './movable-clock.ts';

/** Ends once the test tells it to. */
const told = `echo held; until [ -e go-${process.pid} ]; do sleep 0.02; done; echo done`;
const jobs = { hold: bash(told) };

async function holding(root: string) {
  const first = await openEngine(root, { jobs });
  const runId = await first.create('hold');
  await expect.poll(() => first.messages(runId)).toEqual(['held']);
  // On SQLite, a writer does not know what another engine has announced since the database was opened.
  await expect.poll(() => first.store.journal.lastOutputSeq(runId)).toBe(1);
  return { first, runId };
}

function tell(root: string, runId: string): void {
  writeFileSync(join(root, 'data/runs', runId, 'workspace', `go-${process.pid}`), '');
}

/** Resolves after the engine has looked at the database several more times. */
async function untilLooked({ store }: Opened): Promise<void> {
  const { counts } = store.runs;
  let looks = 0;
  const countsAgain: typeof counts = (tenant) => {
    looks += 1;
    return counts(tenant);
  };
  Object.assign(store.runs, { counts: countsAgain });
  await expect.poll(() => looks).toBeGreaterThanOrEqual(3);
}

test('a second engine on the same database does not touch the runs of the first one', async () => {
  const root = dataFolder();
  const { first, runId } = await holding(root);
  const second = await openEngine(dataFolder(), { databaseOf: root });
  await untilLooked(second);
  await second.close();
  tell(root, runId);
  expect(await first.finished(runId)).toMatchObject({ status: 'success', attempt: 1 });
  expect(await first.messages(runId)).toEqual(['held', 'done']);
});

test('a run whose owner has not renewed its lease for 30 s ends as lost, and its script is not ended', async () => {
  const root = dataFolder();
  const { first, runId } = await holding(root);
  await first.close();
  const clock = stillClock();
  const second = await openEngine(dataFolder(), { databaseOf: root, clock });
  await untilLooked(second);
  clock.forward(29_999);
  await untilLooked(second);
  expect(await second.store.runs.get(runId)).toMatchObject({ status: 'running' });
  clock.forward(1);
  expect(await second.finished(runId)).toMatchObject({
    status: 'failed',
    reason: 'lost',
    error: { message: 'the server on test that drove it is gone: its lease has expired' },
    steps: [{ status: 'failed', reason: 'lost' }],
  });
  expect(processesWith(join(root, 'data/runs', runId, '1-1'))).not.toEqual([]);
  tell(root, runId);
});

test('an engine whose lease another engine has ended stops driving the runs that the other one took over', async () => {
  const root = dataFolder();
  // The first engine does not renew its lease while its clock stands still.
  const firstClock = stillClock();
  const first = await openEngine(root, { jobs, clock: firstClock });
  const runId = await first.create('hold');
  await expect.poll(() => first.messages(runId)).toEqual(['held']);
  // On SQLite, a writer does not know what another engine has announced since the database was opened.
  await expect.poll(() => first.store.journal.lastOutputSeq(runId)).toBe(1);
  const clock = movableClock();
  const second = await openEngine(dataFolder(), { databaseOf: root, clock });
  await untilLooked(second);
  clock.forward(30_000);
  await second.finished(runId);
  expect(first.engine.queue()).toMatchObject({ running: 1 });
  firstClock.forward(30_000);
  await expect.poll(() => first.engine.queue()).toMatchObject({ running: 0 });
  expect(processesWith(join(root, 'data/runs', runId, '1-1'))).not.toEqual([]);
  tell(root, runId);
  expect(await first.store.runs.get(runId)).toMatchObject({ status: 'failed', reason: 'lost' });
});

test('a restart on the same data dir resumes at once, and a copy of the data dir waits for the lease', async () => {
  const root = dataFolder();
  const { first, runId } = await holding(root);
  await first.close();
  const copy = dataFolder();
  cpSync(join(root, 'data/owner.id'), join(copy, 'data/owner.id'));
  const other = await openEngine(copy, { databaseOf: root });
  await untilLooked(other);
  await other.close();

  const next = await openEngine(root);
  await next.when(runId, ({ status }) => status === 'running');
  await expect.poll(() => next.engine.queue()).toMatchObject({ running: 1 });
  tell(root, runId);
  expect(await next.finished(runId)).toMatchObject({ status: 'success' });
  expect(await next.messages(runId)).toEqual(['held', 'done']);
});

test('a data dir that was moved resumes its scripts once the lease of its former id has expired', async () => {
  const root = dataFolder();
  const { first, runId } = await holding(root);
  await first.close();
  const id = join(root, 'data/owner.id');
  writeFileSync(id, 'owner_00000000-0000-0000-0000-000000000000 1\n');
  const clock = movableClock();
  const next = await openEngine(root, { clock });
  await untilLooked(next);
  expect(next.engine.queue()).toMatchObject({ running: 0 });
  clock.forward(30_000);
  await expect.poll(() => next.engine.queue()).toMatchObject({ running: 1 });
  expect(existsSync(id)).toBe(true);
  tell(root, runId);
  expect(await next.finished(runId)).toMatchObject({ status: 'success' });
  expect(await next.messages(runId)).toEqual(['held', 'done']);
});
