// A server that runs out of file descriptors, as with a small `ulimit -n` and many connections.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { expect, onTestFinished, vi } from 'vitest';
import { testWith } from '../support/host.ts';
import { startServer } from '../support/server.ts';

testWith('prlimit')('a server without free file descriptors says so until it recovers', async () => {
  await using server = await startServer();
  const { entries } = await server.json<{ entries: { action: string; detail: { pid: number } }[] }>('/audit');
  const { pid } = entries.find(({ action }) => action === 'server.start')?.detail ?? { pid: 0 };
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  /** Sends a request over one connection that stays open. */
  async function get(path: string) {
    const asked = request(server.url + path, { agent }).end();
    const [answer]: IncomingMessage[] = await once(asked, 'response');
    const chunks: Buffer[] = await (answer?.toArray() ?? []);
    return { status: answer?.statusCode, body: Buffer.concat(chunks).toString() };
  }
  expect(await get('/healthz')).toMatchObject({ status: 204 });

  const refused = await vi.waitFor(
    async () => {
      const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
      let free = 0;
      while (open.has(free)) free += 1;
      execFileSync('prlimit', [`--pid=${pid}`, `--nofile=${free}:`]);
      const answer = await get('/api/v1/jobs');
      // Another answer means that a file has been closed since, whose descriptor is below the limit.
      expect(answer.status).toBe(503);
      return answer;
    },
    { timeout: 60_000 },
  );
  expect(JSON.parse(refused.body)).toMatchObject({
    type: 'https://flowd.org/problems/overloaded',
    detail: expect.stringMatching(/no file descriptors or memory left to find out who is calling.*ulimit -n/),
  });
  // Reading health needs no token. By now, the server has checked its memory more than once.
  await expect
    .poll(async () => JSON.parse((await get('/api/v1/health')).body))
    .toMatchObject({ status: 'degraded', checks: { load: { status: 'degraded' } } });

  execFileSync('prlimit', [`--pid=${pid}`, '--nofile=1024:']);
  await expect.poll(() => get('/api/v1/jobs')).toMatchObject({ status: 200 });
  await expect.poll(async () => JSON.parse((await get('/api/v1/health')).body)).toMatchObject({ status: 'healthy' });
});
