// The memory of an idle server.

import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { processesWith, residentBytesOf } from '../support/processes.ts';
import { startServer } from '../support/server.ts';

/** A checkout needs more memory, because it strips types at run time. */
const mostMb = process.env.FLWD_TEST_NO_PACK === '1' ? 140 : 120;

test('an idle server takes little memory', async () => {
  const server = await startServer();
  onTestFinished(() => server.close());
  const [owner] = processesWith(`serve --config ${join(server.root, 'flwd.yaml')}`);
  const idleMb = residentBytesOf(owner?.pid ?? 0) / 1e6;
  expect(idleMb).toBeGreaterThan(40);
  expect(idleMb).toBeLessThan(mostMb);
});
