import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { engines, nowMs, type Opened } from './engines.ts';

const dayMs = 86_400_000;

describe.each(engines)('idempotency keys on $engine', ({ open }) => {
  let dir: string;
  let store: Opened;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'flwd-idempotency-'));
    store = await open(dir);
  });
  afterEach(async () => {
    await store.database.close();
    await rm(dir, { recursive: true });
  });

  const request = { tenant: 'default', key: 'k1', bodyHash: 'h1', runId: 'run_1', answer: null, createdAtMs: nowMs };
  const add = (over: Partial<Parameters<Opened['idempotency']['add']>[1]> = {}): Promise<boolean> =>
    store.database.transact((tx) => store.idempotency.add(tx, { ...request, ...over }));

  test('a response is found under its key after a restart', async () => {
    await add({ answer: { status: 201, body: '{"run_id":"run_1"}' } });
    await store.database.close();
    store = await open(dir);

    expect(await store.idempotency.find('default', 'k1', nowMs - dayMs)).toEqual({
      bodyHash: 'h1',
      runId: 'run_1',
      answer: { status: 201, body: '{"run_id":"run_1"}' },
    });
  });

  test('a request without a response is known, and its response can be added later', async () => {
    await add();
    expect(await store.idempotency.find('default', 'k1', 0)).toEqual({ bodyHash: 'h1', runId: 'run_1', answer: null });

    const answer = { status: 202, body: '{}' };
    await store.database.transact((tx) => store.idempotency.answer(tx, 'default', 'k1', answer));
    expect(await store.idempotency.find('default', 'k1', 0)).toMatchObject({ answer });
  });

  test('a key belongs to one tenant', async () => {
    expect(await add()).toBe(true);
    expect(await add({ tenant: 'acme', runId: 'run_2' })).toBe(true);

    expect(await store.idempotency.find('acme', 'k1', 0)).toMatchObject({ runId: 'run_2' });
    expect(await store.idempotency.find('other', 'k1', 0)).toBeUndefined();
  });

  test('a key is granted once, even if it is requested twice in the same turn of the event loop', async () => {
    expect(await Promise.all([add(), add({ runId: 'run_2', bodyHash: 'h2' })])).toEqual([true, false]);
    expect(await store.idempotency.find('default', 'k1', 0)).toMatchObject({ bodyHash: 'h1', runId: 'run_1' });
  });

  test('a key is free again after a day', async () => {
    await add();

    expect(await store.idempotency.find('default', 'k1', nowMs + 1)).toBeUndefined();
    expect(await add({ runId: 'run_2', createdAtMs: nowMs + dayMs })).toBe(false);
    expect(await add({ runId: 'run_3', createdAtMs: nowMs + dayMs + 1 })).toBe(true);
    expect(await store.idempotency.find('default', 'k1', nowMs)).toMatchObject({ runId: 'run_3' });
  });
});
