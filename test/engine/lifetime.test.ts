// What the audit log says of the server before: whether it was killed.

import { pino } from 'pino';
import { expect, test } from 'vitest';
import { ownEntry } from '../../src/domain/audit.ts';
import { recordStart } from '../../src/engine/lifetime.ts';
import { dataFolder, openEngine } from './an-engine.ts';

test('a server that was killed is told by the next; one that a backup was taken of is not taken for it', async () => {
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
