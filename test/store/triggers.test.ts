import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TriggerResultRow } from '../../src/store/schema.ts';
import { aRun } from './a-run.ts';
import { engines, nowMs, type Opened } from './engines.ts';

describe.each(engines)('results of triggers on $engine', ({ open }) => {
  let dir: string;
  let store: Opened;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'flwd-triggers-'));
    store = await open(dir);
  });
  afterEach(async () => {
    await store.database.close();
    await rm(dir, { recursive: true });
  });

  const row: TriggerResultRow = {
    trigger_id: 'trigger_1',
    key: 'run_1',
    tenant: 'default',
    at: nowMs,
    result: 'started',
    run_id: 'run_2',
    problem: null,
    detail: null,
  };
  const add = (over: Partial<TriggerResultRow> = {}): Promise<boolean> =>
    store.database.transact((tx) => store.triggers.add(tx, { ...row, ...over }));

  test('the end of a run counts once for each trigger', async () => {
    expect(await add()).toBe(true);
    expect(await add({ at: nowMs + 1, result: 'refused', run_id: null })).toBe(false);
    expect(await add({ trigger_id: 'trigger_2' })).toBe(true);
    expect(await store.triggers.results('trigger_1', '*')).toEqual([row]);
  });

  test('the last 100 results are kept, and each tenant sees its own', async () => {
    for (let n = 0; n < 120; n += 1)
      await add({ key: `run_${n}`, at: nowMs + n, tenant: n % 2 === 0 ? 'acme' : 'default' });
    const all = await store.triggers.results('trigger_1', '*');
    expect(all).toHaveLength(100);
    expect([all[0]?.key, all.at(-1)?.key]).toEqual(['run_119', 'run_20']);
    expect(await store.triggers.results('trigger_1', 'acme')).toHaveLength(50);
    expect(await store.triggers.results('trigger_1', 'default', 1)).toMatchObject([{ key: 'run_119' }]);
  });

  test('old results are removed', async () => {
    await add();
    await add({ key: 'run_3', at: nowMs + 1 });
    expect(await store.triggers.removeResults(nowMs + 1, 10)).toBe(1);
    expect(await store.triggers.results('trigger_1', '*')).toMatchObject([{ key: 'run_3' }]);
  });

  test('the cursor is stored, and removed when there are no triggers', async () => {
    const { triggers, database } = store;
    expect(await triggers.cursor()).toBeUndefined();
    await database.transact((tx) => triggers.moveCursor(tx, 5));
    await database.transact((tx) => triggers.moveCursor(tx, 7));
    expect(await triggers.cursor()).toBe(7);
    await database.transact(triggers.dropCursor);
    expect(await triggers.cursor()).toBeUndefined();
  });

  test('the runs and the refusals of a chain are counted as long as its first run exists', async () => {
    const { triggers, database } = store;
    const run = aRun();
    await database.transact((tx) => store.runs.add(tx, run));
    expect(await triggers.chain(run.id)).toEqual({ runs: 0, refusals: 0 });
    await database.transact((tx) => triggers.addRefusalToChain(tx, run.id));
    for (let n = 0; n < 2; n += 1) await database.transact((tx) => triggers.addRunToChain(tx, run.id));
    expect(await triggers.chain(run.id)).toEqual({ runs: 2, refusals: 1 });
    await database.transact((tx) => tx.db.deleteFrom('runs').where('id', '=', run.id).execute());
    await database.transact((tx) => triggers.addRunToChain(tx, run.id));
    expect(await triggers.chain(run.id)).toEqual({ runs: 0, refusals: 0 });
  });
});
