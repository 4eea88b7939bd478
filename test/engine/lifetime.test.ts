// Whether the audit log says that the earlier server was killed.

import { pino } from 'pino';
import { expect, test } from 'vitest';
import { ownEntry } from '../../src/domain/audit.ts';
import { recordStart } from '../../src/engine/lifetime.ts';
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
