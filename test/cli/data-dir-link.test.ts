// How long a command waits for the next server. The test sets the command's clock forward instead of waiting for
// minutes.

import { expect, onTestFinished, test, vi } from 'vitest';
import { linkDataDir } from '../../src/cli/session/data-dir-link.ts';
import { loadConfig } from '../../src/config/load.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createInstance } from './an-instance.ts';

async function openLink() {
  const { dir, serve } = await createInstance({});
  const server = await serve();
  const link = await linkDataDir(loadConfig({}, { HOME: dir }, dir), {});
  let aheadMs = 0;
  const clock = vi.spyOn(systemClock, 'monotonicMs').mockImplementation(() => performance.now() + aheadMs);
  onTestFinished(async () => {
    clock.mockRestore();
    await link.close();
  });
  return {
    serve,
    server,
    ask: async (): Promise<number> => {
      const init = { method: 'GET', headers: { accept: 'application/json' } };
      return (await link.fetch(`${link.url}/api/v1/runs`, init)).status;
    },
    putForward: (ms: number): void => {
      aheadMs += ms;
    },
  };
}

test('a command still waits for a restarting server if its last request was minutes ago', async () => {
  const { serve, server, ask, putForward } = await openLink();
  expect(await ask()).toBe(200);
  putForward(180_000);
  await server.stop();
  const waiting = ask();
  await Promise.all([serve(), expect(waiting).resolves.toBe(200)]);
});

test('requests that no server accepts wait for 10 s in total', async () => {
  const { server, ask, putForward } = await openLink();
  await server.stop();
  const passing = setInterval(() => putForward(1_000), 100);
  await Promise.all([ask(), ask()].map((asked) => expect(asked).rejects.toThrow('fetch failed')));
  clearInterval(passing);
  const calledAtMs = performance.now();
  await expect(ask()).rejects.toThrow('fetch failed');
  expect(performance.now() - calledAtMs).toBeLessThan(5_000);
});
