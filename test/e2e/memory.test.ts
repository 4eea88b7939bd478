// What a server holds in memory while it does nothing.

import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { processesWith, residentBytesOf } from '../support/processes.ts';
import { startServer } from '../support/server.ts';

/** A checkout holds its types, too, and what strips them. */
const mostMb = process.env.FLWD_TEST_NO_PACK === '1' ? 140 : 120;

test('an idle server takes little memory', async () => {
  const server = await startServer();
  onTestFinished(() => server.close());
  const [owner] = processesWith(`serve --config ${join(server.root, 'flwd.yaml')}`);
  const idleMb = residentBytesOf(owner?.pid ?? 0) / 1e6;
  expect(idleMb).toBeGreaterThan(40);
  expect(idleMb).toBeLessThan(mostMb);
});
