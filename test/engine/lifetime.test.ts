// Whether the audit log says that the earlier server was killed.

import { pino } from 'pino';
import { expect, test } from 'vitest';
import { ownEntry } from '../../src/domain/audit.ts';
import { findDowntime, recordStart } from '../../src/engine/lifetime.ts';
import { dataFolder, openEngine } from './an-engine.ts';

test('the audit log says that the previous server was killed, but not because of a backup made while it ran', async () => {
  const { audit } = (await openEngine(dataFolder())).store;
  const start = () => recordStart({ audit, detail: {}, log: pino({ level: 'silent' }) });
  const newest = async () => (await audit.list({ action: 'server.start', limit: 1 })).entries[0]?.detail;

  const stop = await start();
  expect(await newest()).toEqual({});
  await start();
  expect(await newest()).toEqual({ before: 'was killed' });
  await stop();
  await start();
  expect(await newest()).toEqual({});
  const object = { kind: 'instance', id: null } as const;
  await audit.record(ownEntry('local', { action: 'restore', object, tenant: '*', detail: null }));
  await start();
  expect(await newest()).toEqual({});
  await start();
  expect(await newest()).toEqual({ before: 'was killed' });
});

test('the time in which no server was running begins at the stop of the last one, or at its last sign of life', async () => {
  const { audit } = (await openEngine(dataFolder())).store;
  const started = () => recordStart({ audit, detail: {}, log: pino({ level: 'silent' }) });
  const newestMs = async (action: 'server.start' | 'server.stop') =>
    Date.parse((await audit.list({ action, limit: 1 })).entries[0]?.at ?? '');
  const startedAtMs = Date.now() + 60_000;
  const downtime = (signAtMs?: number) => findDowntime(audit, { startedAtMs, signAtMs });
  expect(await downtime()).toBeNull();

  const stop = await started();
  const firstMs = await newestMs('server.start');
  const why = 'flwd was not running';
  expect(await downtime()).toEqual({ fromMs: firstMs, toMs: startedAtMs, isExact: false, why });
  expect(await downtime(firstMs + 5)).toMatchObject({ fromMs: firstMs + 5, isExact: false });
  await stop();
  const fromMs = await newestMs('server.stop');
  expect(await downtime(firstMs + 5)).toEqual({ fromMs, toMs: startedAtMs, isExact: true, why });

  const object = { kind: 'instance', id: null } as const;
  await audit.record(ownEntry('local', { action: 'restore', object, tenant: '*', detail: null }));
  expect(await downtime()).toBeNull();
});
