import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NewEvent } from '../../src/domain/event.ts';
import { aRun } from './a-run.ts';
import { engines, type Opened } from './engines.ts';

const created: NewEvent = {
  type: 'run.created',
  runId: 'run_1',
  jobId: 'backup/daily',
  tenant: 'default',
  data: { status: 'pending' },
};

describe.each(engines)('commits on $engine', ({ engine, open }) => {
  let dir: string;
  let store: Opened;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'flwd-commits-'));
    store = await open(dir);
  });
  afterEach(async () => {
    await store.database.close();
    await rm(dir, { recursive: true });
  });

  test('the generation changes with each commit, and not without a commit', async () => {
    const first = await store.database.generation();
    await store.runs.list({ limit: 10 });
    // Other suites commit to the same PostgreSQL at the same time.
    if (engine === 'SQLite') expect(await store.database.generation()).toBe(first);
    const add = () => store.database.transact((tx) => store.runs.add(tx, aRun()));
    await add();
    const second = await store.database.generation();
    expect(second).not.toBe(first);
    await add();
    expect([first, second]).not.toContain(await store.database.generation());
  });

  test('changes that are made in different turns of the event loop are separate commits', async () => {
    await store.database.transact(async (tx) => tx.emit(created));
    await store.database.transact(async (tx) => tx.emit(created));

    expect(store.commits.map((entries) => entries.map(({ id }) => id))).toEqual([[1], [2]]);
  });

  test('more changes than fit into one commit are all made, in order', async () => {
    await Promise.all(
      Array.from({ length: 1_000 }, (_, n) =>
        store.database.transact(async (tx) => tx.emit({ ...created, runId: `run_${n}` })),
      ),
    );

    const announced = store.commits.flat();
    expect(announced.map(({ id }) => id)).toEqual(Array.from({ length: 1_000 }, (_, n) => n + 1));
    expect(announced.map(({ runId }) => runId)).toEqual(Array.from({ length: 1_000 }, (_, n) => `run_${n}`));
  });

  test('a change that fails leaves no trace, and the other changes of its commit are made', async () => {
    const [first, second, third] = [aRun(), aRun(), aRun()];
    const outcomes = await Promise.allSettled([
      store.database.transact((tx) => store.runs.add(tx, first)),
      store.database.transact(async (tx) => {
        await store.runs.add(tx, second);
        throw new Error('changed my mind');
      }),
      store.database.transact((tx) => store.runs.add(tx, third)),
    ]);

    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(outcomes[1]).toMatchObject({ reason: { message: 'changed my mind' } });
    expect(await store.runs.get(second.id)).toBeUndefined();
    expect((await store.runs.list({ limit: 10 })).total).toBe(2);
    expect(store.commits.flat().map(({ id, runId }) => [id, runId])).toEqual([
      [1, first.id],
      [2, third.id],
    ]);
    expect(store.database.failure()).toBeNull();
  });

  test('a change that fails alone leaves no trace, and the next one is made', async () => {
    const [first, second] = [aRun(), aRun()];
    const failing = store.database.transact(async (tx) => {
      await store.runs.add(tx, first);
      throw new Error('changed my mind');
    });
    await expect(failing).rejects.toThrow('changed my mind');
    await store.database.transact((tx) => store.runs.add(tx, second));

    expect((await store.runs.list({ limit: 10 })).runs.map(({ run_id: id }) => id)).toEqual([second.id]);
    expect(store.commits.flat().map(({ id, runId }) => [id, runId])).toEqual([[1, second.id]]);
    expect(store.database.failure()).toBeNull();
  });

  test('an event is announced only once a reader can find it', async () => {
    await store.database.close();
    const found: Promise<number[]>[] = [];
    store = await open(dir, {
      onCommit: () => found.push(store.journal.read({ afterId: 0, limit: 10 }).then((all) => all.map(({ id }) => id))),
    });
    await store.database.transact(async (tx) => tx.emit(created));

    expect(await Promise.all(found)).toEqual([[1]]);
  });

  test('a listener that throws harms neither the change nor the next one', async () => {
    await store.database.close();
    store = await open(dir, {
      onCommit() {
        throw new Error('a bug in a listener');
      },
    });
    await store.database.transact(async (tx) => tx.emit(created));
    await store.database.transact(async (tx) => tx.emit(created));

    expect(await store.journal.latestId()).toBe(2);
  });

  test('ids continue after a restart, even if the newest events have been deleted', async () => {
    await store.database.transact(async (tx) => {
      tx.emit(created);
      tx.emit({ ...created, type: 'run.output', firstSeq: 1, lineCount: 5 });
    });
    await store.database.transact((tx) => tx.db.deleteFrom('events').execute());
    await store.database.close();
    store = await open(dir);

    expect(await store.journal.latestId()).toBe(6);
    expect(await store.journal.oldestId()).toBe(7);
    await store.database.transact(async (tx) => tx.emit(created));
    expect(store.commits.flat()).toMatchObject([{ id: 7 }]);
  });

  test('output with less than one line is refused, and uses no ids', async () => {
    for (const lineCount of [0, -3]) {
      const output = { ...created, type: 'run.output' as const, firstSeq: 1, lineCount };
      await expect(store.database.transact(async (tx) => tx.emit(output))).rejects.toThrow('by the line');
    }
    await store.database.transact(async (tx) => tx.emit(created));

    expect(store.commits.flat()).toMatchObject([{ id: 1 }]);
  });

  test('closing finishes earlier transactions, and refuses later ones', async () => {
    const run = aRun();
    const before = store.database.transact((tx) => store.runs.add(tx, run));
    const closed = store.database.close();
    await expect(store.database.transact((tx) => store.runs.add(tx, aRun()))).rejects.toMatchObject({
      slug: 'not-ready',
    });
    await before;
    await closed;

    store = await open(dir);
    expect((await store.runs.get(run.id))?.status).toBe('pending');
  });

  test('a reader cannot write', async () => {
    await expect(store.database.read.deleteFrom('events').execute()).rejects.toThrow(/read-?only/);
  });
});
