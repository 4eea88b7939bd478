import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { MadeWebhook } from '../../src/domain/trigger/webhook.ts';
import type { DeliveryRow } from '../../src/store/schema.ts';
import { engines, nowMs, type Opened } from './engines.ts';

const made: MadeWebhook = {
  id: 'webhook_1',
  name: 'push',
  jobId: 'site/deploy',
  tenant: 'default',
  tokenHash: 'a'.repeat(64),
  scheme: 'github',
  header: 'x-hub-signature-256',
  secrets: ['key'],
  condition: 'event == "push"',
  args: { ref: 'body.ref' },
  headers: ['x-trace'],
  waitMs: 8_000,
  perMinute: null,
  createdAtMs: nowMs,
  createdBy: 'local',
  boundTo: { tokenId: null, isAgent: true },
};

describe.each(engines)('webhooks on $engine', ({ open }) => {
  let dir: string;
  let store: Opened;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'flwd-webhooks-'));
    store = await open(dir);
  });
  afterEach(async () => {
    await store.database.close();
    await rm(dir, { recursive: true });
  });

  const row = { webhookId: 'webhook_1', key: 'id:1', runId: 'run_1', nowMs, forMs: 1_000 };
  const add = (over: Partial<typeof row> = {}): Promise<boolean> =>
    store.database.transact((tx) => store.webhooks.addKey(tx, { ...row, ...over }));

  const delivery: DeliveryRow = {
    id: 'delivery_1',
    webhook_id: 'webhook_1',
    tenant: 'default',
    at: nowMs,
    result: 'started',
    scheme: 'hmac',
    body_hash: 'a',
    event: null,
    sender_id: null,
    run_id: null,
    args: null,
    has_secrets: 0,
    problem: null,
    detail: null,
    repeats: 0,
  };
  const addDelivery = (over: Partial<DeliveryRow>): Promise<void> =>
    store.database.transact((tx) => store.webhooks.addDelivery(tx, { ...delivery, ...over }));

  test('after a restart, each webhook still finds a delivery by any of its keys', async () => {
    await add();
    await store.database.close();
    store = await open(dir);
    expect(await store.webhooks.startedBy('webhook_1', ['body:1', 'id:1'], nowMs)).toBe('run_1');
    expect(await store.webhooks.startedBy('webhook_1', ['body:1'], nowMs)).toBeUndefined();
    expect(await store.webhooks.startedBy('webhook_2', ['id:1'], nowMs)).toBeUndefined();
  });

  test('of simultaneous deliveries with the same key, only one starts a run', async () => {
    expect(await Promise.all([add(), add({ runId: 'run_2' }), add({ runId: 'run_3' })])).toEqual([true, false, false]);
    expect(await store.webhooks.startedBy('webhook_1', ['id:1'], nowMs)).toBe('run_1');
  });

  test('a key can be used again after its time, and is then removed', async () => {
    await add();
    await add({ key: 'id:2', forMs: 5_000 });
    expect(await add({ nowMs: nowMs + 999 })).toBe(false);
    expect(await store.webhooks.startedBy('webhook_1', ['id:1'], nowMs + 1_000)).toBeUndefined();
    expect(await store.webhooks.removeExpiredKeys(nowMs + 999, 10)).toBe(0);
    expect(await store.webhooks.removeExpiredKeys(nowMs + 1_000, 10)).toBe(1);
    expect(await add({ nowMs: nowMs + 1_000, runId: 'run_2' })).toBe(true);
    expect(await store.webhooks.startedBy('webhook_1', ['id:2'], nowMs + 1_000)).toBe('run_1');
  });

  test('the last 100 deliveries of each webhook are kept, and old ones are removed', async () => {
    const ids = Array.from({ length: 102 }, (_, n) => `delivery_${String(n).padStart(3, '0')}`);
    for (const [n, id] of ids.entries()) {
      for (const webhook of ['webhook_1', 'webhook_2'].slice(0, n < 2 ? 2 : 1)) {
        await addDelivery({ id: `${id}_${webhook}`, webhook_id: webhook, at: nowMs + n, run_id: `run_${n}` });
      }
    }
    const kept = await store.webhooks.deliveries('webhook_1');
    expect(kept.map(({ id }) => id)).toEqual(
      ids
        .slice(2)
        .toReversed()
        .map((id) => `${id}_webhook_1`),
    );
    expect(await store.webhooks.deliveries('webhook_2')).toHaveLength(2);
    expect(await store.webhooks.removeDeliveries(nowMs + 51, 1_000)).toBe(51);
    expect(await store.webhooks.deliveries('webhook_1')).toHaveLength(51);
    expect(await store.webhooks.delivery('webhook_2', `${ids[0]}_webhook_2`)).toBeUndefined();
  });

  test('a delivery without a run is added to an earlier one with the same body and result, which counts both', async () => {
    await addDelivery({ id: 'delivery_1', run_id: 'run_1' });
    await addDelivery({ id: 'delivery_2', run_id: 'run_2' });
    await addDelivery({ id: 'delivery_3', result: 'skipped' });
    await addDelivery({ id: 'delivery_4', result: 'skipped', body_hash: 'b' });
    await addDelivery({ id: 'delivery_5', result: 'skipped', webhook_id: 'webhook_2' });
    const refused = { result: 'refused', problem: 'validation-error', detail: 'first' } as const;
    await addDelivery({ ...refused, id: 'delivery_6' });
    await Promise.all(
      ['7', '8', '9'].map((n) => addDelivery({ ...refused, id: `delivery_${n}`, detail: 'last', at: nowMs + 1 })),
    );
    await addDelivery({ id: 'delivery_9', result: 'skipped' });
    const kept = await store.webhooks.deliveries('webhook_1');
    expect(kept.map(({ id, repeats, detail, at }) => [id, repeats, detail, at])).toEqual([
      ['delivery_6', 3, 'last', nowMs],
      ['delivery_4', 0, null, nowMs],
      ['delivery_3', 1, null, nowMs],
      ['delivery_2', 0, null, nowMs],
      ['delivery_1', 0, null, nowMs],
    ]);
    expect(await store.webhooks.deliveries('webhook_2')).toMatchObject([{ id: 'delivery_5', repeats: 0 }]);
  });

  test('webhooks are listed by job, name and id, in pages, for one tenant and for given jobs', async () => {
    const make = (id: string, over: Partial<MadeWebhook>) =>
      store.database.transact((tx) => store.webhooks.add(tx, { ...made, id, tokenHash: id, ...over }));
    await make('webhook_1', { jobId: 'b', name: 'x' });
    await make('webhook_2', { jobId: 'a', name: 'y' });
    await make('webhook_3', { jobId: 'a', name: 'x', tenant: 'beta' });
    await make('webhook_4', { jobId: 'a', name: 'x' });
    const all = { tenant: undefined, jobIds: undefined, after: undefined, limit: undefined };
    const idsOf = async (query: Partial<Parameters<typeof store.webhooks.page>[0]>) => {
      const { webhooks, total } = await store.webhooks.page({ ...all, ...query });
      return [webhooks.map(({ id }) => id.slice(-1)).join(''), total];
    };
    expect(await idsOf({})).toEqual(['3421', 4]);
    expect(await idsOf({ tenant: 'default', limit: 2 })).toEqual(['42', 3]);
    expect(await idsOf({ after: { jobId: 'a', name: 'x', id: 'webhook_3' }, limit: 2 })).toEqual(['42', 4]);
    expect(await idsOf({ jobIds: ['b', 'c'] })).toEqual(['1', 1]);
    expect(await idsOf({ jobIds: [] })).toEqual(['', 0]);
    expect([...(await store.webhooks.jobIds('beta'))]).toEqual(['a']);
    expect([...(await store.webhooks.jobIds(undefined))].toSorted()).toEqual(['a', 'b']);
  });

  test('the newest delivery of each of several webhooks is found', async () => {
    await addDelivery({});
    await addDelivery({ id: 'delivery_2', body_hash: 'b' });
    await addDelivery({ id: 'delivery_3', webhook_id: 'webhook_2' });
    await addDelivery({ id: 'delivery_4', webhook_id: 'webhook_3' });
    const last = await store.webhooks.lastDeliveries(['webhook_1', 'webhook_2', 'webhook_9']);
    expect(last.map(({ id }) => id).toSorted()).toEqual(['delivery_2', 'delivery_3']);
  });

  test('a webhook is found by its token’s hash, has a unique name in its job and tenant, and is removed with its deliveries', async () => {
    const make = (over: Partial<MadeWebhook>) =>
      store.database.transact((tx) => store.webhooks.add(tx, { ...made, ...over }));
    expect(await make({})).toBe(true);
    expect(await make({ id: 'webhook_2', tokenHash: 'b'.repeat(64) })).toBe(false);
    expect(await make({ id: 'webhook_2' })).toBe(false);
    expect(await make({ id: 'webhook_2', tokenHash: 'b'.repeat(64), tenant: 'beta', perMinute: 10 })).toBe(true);
    expect(await store.webhooks.findByToken('a'.repeat(64))).toEqual(made);
    expect(await store.webhooks.find('webhook_2')).toMatchObject({ tenant: 'beta', perMinute: 10 });
    expect(await store.webhooks.countOf('beta')).toBe(1);

    await addDelivery({});
    await add();
    await addDelivery({ id: 'delivery_2', webhook_id: 'webhook_2' });
    await store.database.transact((tx) => store.webhooks.remove(tx, 'webhook_1'));
    expect(await store.webhooks.findByToken('a'.repeat(64))).toBeUndefined();
    expect(await store.database.transact((tx) => store.webhooks.isThere(tx, 'webhook_1'))).toBe(false);
    expect(await store.database.transact((tx) => store.webhooks.isThere(tx, 'webhook_2'))).toBe(true);
    expect(await store.webhooks.deliveries('webhook_1')).toEqual([]);
    expect(await store.webhooks.startedBy('webhook_1', ['id:1'], nowMs)).toBeUndefined();
    expect(await store.webhooks.deliveries('webhook_2')).toHaveLength(1);
  });
});
