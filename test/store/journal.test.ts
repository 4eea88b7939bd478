import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NewEvent, NewOutput } from '../../src/domain/event.ts';
import { engines, nowMs, type Opened } from './engines.ts';

const about = { jobId: 'backup/daily', tenant: 'default' };
const created = (runId: string): NewEvent => ({ type: 'run.created', runId, ...about, data: { status: 'pending' } });
const output = (
  runId: string,
  firstSeq: number,
  lineCount: number,
  type: NewOutput['type'] = 'run.output',
): NewOutput => ({ type, runId, ...about, firstSeq, lineCount });

describe.each(engines)('the journal on $engine', ({ open }) => {
  let dir: string;
  let store: Opened;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'flwd-journal-'));
    store = await open(dir);
  });
  afterEach(async () => {
    await store.database.close();
    await rm(dir, { recursive: true });
  });

  const idsAfter = async (afterId: number, filter: { runId?: string } = {}): Promise<number[]> =>
    (await store.journal.read({ afterId, limit: 100, ...filter })).map(({ id }) => id);

  test('is empty at first', async () => {
    expect(await store.journal.latestId()).toBe(0);
    expect(await store.journal.oldestId()).toBe(1);
    expect(await idsAfter(0)).toEqual([]);
  });

  test('returns what was written: each event, and the lines that each output entry announces', async () => {
    await store.database.transact(async (tx) => {
      tx.emit(created('run_a'));
      tx.emit(output('run_a', 11, 250));
      tx.emit({
        type: 'run.finished',
        runId: 'run_a',
        ...about,
        data: { status: 'failed', reason: 'exit', exit_code: 3 },
      });
    });

    expect(await store.journal.read({ afterId: 0, limit: 100 })).toEqual([
      { ...created('run_a'), id: 1, count: 1, atMs: nowMs },
      { ...output('run_a', 11, 250), id: 2, count: 250, atMs: nowMs },
      {
        type: 'run.finished',
        runId: 'run_a',
        ...about,
        data: { status: 'failed', reason: 'exit', exit_code: 3 },
        id: 252,
        count: 1,
        atMs: nowMs,
      },
    ]);
    expect(await store.journal.latestId()).toBe(252);
    expect(store.commits.flat()).toEqual(await store.journal.read({ afterId: 0, limit: 100 }));
  });

  test('returns an output entry again if the reader has seen a part of it, but not if it has seen all', async () => {
    await store.database.transact(async (tx) => {
      tx.emit(created('run_a'));
      tx.emit(output('run_a', 1, 10));
      tx.emit(created('run_b'));
    });

    expect(await idsAfter(1)).toEqual([2, 12]);
    expect(await idsAfter(2)).toEqual([2, 12]);
    expect(await idsAfter(10)).toEqual([2, 12]);
    expect(await idsAfter(11)).toEqual([12]);
    expect(await idsAfter(12)).toEqual([]);
    expect(await idsAfter(10, { runId: 'run_a' })).toEqual([2]);
    expect(await idsAfter(10, { runId: 'run_b' })).toEqual([12]);
  });

  test('gives each line of a job with steps two ids, also next to entries of the same run with one id', async () => {
    await store.database.transact(async (tx) => {
      tx.emit(output('run_a', 1, 3));
      tx.emit(output('run_a', 4, 5, 'step.output'));
      tx.emit(created('run_b'));
    });

    expect(await store.journal.read({ afterId: 0, limit: 100 })).toEqual([
      { ...output('run_a', 1, 3), id: 1, count: 3, atMs: nowMs },
      { ...output('run_a', 4, 5, 'step.output'), id: 4, count: 10, atMs: nowMs },
      { ...created('run_b'), id: 14, count: 1, atMs: nowMs },
    ]);
    expect(await idsAfter(12)).toEqual([4, 14]);
    expect(await idsAfter(13)).toEqual([14]);
    expect(await store.journal.lastOutputSeq('run_a')).toBe(8);
  });

  test('can be read by run, page by page', async () => {
    await store.database.transact(async (tx) => {
      tx.emit(created('run_a'));
      tx.emit(created('run_b'));
      tx.emit(created('run_c'));
      tx.emit(output('run_a', 1, 3));
    });

    expect(await idsAfter(0, { runId: 'run_a' })).toEqual([1, 4]);
    expect(await idsAfter(0, { runId: 'run_b' })).toEqual([2]);
    expect((await store.journal.read({ afterId: 0, limit: 2 })).map(({ id }) => id)).toEqual([1, 2]);
  });

  test('knows how much of each run’s output has been announced', async () => {
    await store.database.transact(async (tx) => {
      tx.emit(output('run_a', 1, 10));
      tx.emit(output('run_b', 1, 2));
      tx.emit(output('run_a', 11, 5));
      tx.emit(created('run_a'));
    });

    expect(await store.journal.lastOutputSeq('run_a')).toBe(15);
    expect(await store.journal.lastOutputSeq('run_b')).toBe(2);
    expect(await store.journal.lastOutputSeq('run_c')).toBe(0);
  });

  test('knows its oldest entry after older entries were removed', async () => {
    await store.database.transact(async (tx) => {
      tx.emit(created('run_a'));
      tx.emit(output('run_a', 1, 10));
      tx.emit(created('run_b'));
    });
    await store.database.transact((tx) => tx.db.deleteFrom('events').where('id', '<', 12).execute());

    expect(await store.journal.oldestId()).toBe(12);
    expect(await idsAfter(0)).toEqual([12]);
  });

  test('numbers events past 2^31', async () => {
    await store.database.transact(async (tx) => tx.emit(output('run_a', 1, 3_000_000_000)));
    await store.database.transact(async (tx) => tx.emit(created('run_a')));

    expect(await store.journal.latestId()).toBe(3_000_000_001);
    expect(await idsAfter(2_999_999_999)).toEqual([1, 3_000_000_001]);
    expect(await store.journal.lastOutputSeq('run_a')).toBe(3_000_000_000);
  });
});
