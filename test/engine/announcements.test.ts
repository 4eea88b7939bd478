import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { isOutput } from '../../src/domain/event.ts';
import { createAnnouncements } from '../../src/engine/run/announcements.ts';
import type { Database } from '../../src/store/database.ts';
import { aRun } from '../store/a-run.ts';
import { nowMs, openSqlite } from '../store/engines.ts';
import { moveRun } from '../store/moves.ts';

/** The announcements of a running run. `failures` is how many of the next transactions are rolled back. */
async function setUp(failures = 0) {
  const dir = await mkdtemp(join(tmpdir(), 'flwd-announcements-'));
  const { database, runs, journal } = await openSqlite(dir);
  onTestFinished(async () => {
    await database.close();
    await rm(dir, { recursive: true });
  });
  const run = aRun();
  await database.transact((tx) => runs.add(tx, run));
  await database.transact((tx) => moveRun(tx, runs, run.id, 'claim', { atMs: nowMs }));
  const before = await journal.latestId();

  let failuresLeft = failures;
  const db: Database = {
    ...database,
    transact: (work) =>
      database.transact(async (tx) => {
        const value = await work(tx);
        if (failuresLeft-- > 0) throw new Error('not this time');
        return value;
      }),
  };
  const announcements = createAnnouncements({
    run: { run_id: run.id, job_id: run.jobId, tenant: run.tenant },
    outputType: 'run.output',
    store: { db, runs },
    epoch: () => 1,
    log: pino({ level: 'silent' }),
  });
  /** `1-3` for lines and the percentage for progress, in the order of their ids. */
  const announced = async (): Promise<string[]> => {
    const entries = await journal.read({ afterId: before, runId: run.id, limit: 100 });
    return entries.map((entry) =>
      isOutput(entry)
        ? `${entry.firstSeq}-${entry.firstSeq + entry.lineCount - 1}`
        : `${JSON.stringify(entry.data.percent)}%`,
    );
  };
  return { announcements, announced, database, runs, runId: run.id };
}

test('lines printed at nearly the same time are announced together, a moment later', async () => {
  const { announcements, announced } = await setUp();
  announcements.addLines({ firstSeq: 1, count: 2 });
  announcements.addLines({ firstSeq: 3, count: 1 });
  announcements.addLines({ firstSeq: 4, count: 0 });
  await expect.poll(announced).toEqual(['1-3']);
});

test('progress is announced between the lines before and after it', async () => {
  const { announcements, announced } = await setUp();
  announcements.addLines({ firstSeq: 1, count: 3 });
  announcements.addProgress({ percent: 50, message: '' }, 3);
  announcements.addLines({ firstSeq: 4, count: 1 });
  announcements.addProgress({ percent: 60, message: '' }, 4);
  announcements.addLines({ firstSeq: 5, count: 2 });
  await expect.poll(announced).toEqual(['1-3', '50%', '4-4', '60%', '5-6']);
});

test('what is not yet announced when the run ends is announced together with its end', async () => {
  const { announcements, announced } = await setUp();
  announcements.addProgress({ percent: 100, message: '' }, 0);
  announcements.addLines({ firstSeq: 1, count: 2 });
  await announcements.commit(async () => undefined);
  expect(await announced()).toEqual(['100%', '1-2']);
});

test('lines whose announcement failed are announced once, in order, with the next ones', async () => {
  const { announcements, announced, database } = await setUp(2);
  announcements.addLines({ firstSeq: 1, count: 3 });
  announcements.addProgress({ percent: 50, message: '' }, 3);
  announcements.addLines({ firstSeq: 4, count: 1 });
  announcements.addProgress({ percent: 60, message: '' }, 4);
  announcements.pause();
  // This transaction comes after those of the announcements, so both of them have failed once it is done.
  await database.transact(async () => undefined);
  announcements.addLines({ firstSeq: 5, count: 1 });
  announcements.addProgress({ percent: 70, message: '' }, 5);
  await expect.poll(announced).toEqual(['1-5', '70%']);
});

test('a controller that has lost its run announces neither lines nor progress', async () => {
  const { announcements, announced, database, runs, runId } = await setUp();
  const taken = { owner: 'owner-1', worker: 'there', epoch: 1 };
  expect(await database.transact((tx) => runs.take(tx, runId, taken))).toBe(true);
  announcements.addLines({ firstSeq: 1, count: 2 });
  announcements.addProgress({ percent: 50, message: '' }, 2);
  // Otherwise the timer of the lines may announce line 3 before `flush` does.
  announcements.pause();
  await database.transact(async () => undefined);
  announcements.addLines({ firstSeq: 3, count: 1 });
  await expect(announcements.flush()).rejects.toThrow('another process has taken the run over');
  expect(await announced()).toEqual([]);
  expect((await runs.get(runId))?.progress).toBeNull();
});
