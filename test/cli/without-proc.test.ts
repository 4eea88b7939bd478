// A host without /proc, such as macOS. No run starts there; the rest of the server works.

import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash, writeJob } from '../support/jobs.ts';
import { bin, createFolder, observe } from './terminal.ts';

testWith('bwrap')('without /proc a server lists its jobs and has metrics, but starts no run', async () => {
  const dir = createFolder();
  await writeJob(join(dir, 'jobs', 'hello'), bash('true'));
  // Node on Linux reads its own memory usage from /proc. On other systems it asks the kernel.
  const stat = join(dir, 'stat');
  writeFileSync(stat, readFileSync('/proc/self/stat'));
  const words = ['serve', '--dev', '--bind', '127.0.0.1:0', '--data-dir', '.flwd', '--jobs', 'jobs'];
  const hidden = ['--tmpfs', '/proc', '--dir', '/proc/self', '--ro-bind', stat, '/proc/self/stat'];
  const { prints } = observe(
    spawn('bwrap', ['--die-with-parent', '--dev-bind', '/', '/', ...hidden, '--', process.execPath, bin, ...words], {
      cwd: dir,
      env: { PATH: process.env.PATH, HOME: dir },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  const [, url] = await prints(/listening on (\S+)/);
  const headers = { authorization: 'Bearer dev-token', 'content-type': 'application/json' };
  const ask = (path: string, body?: string): Promise<Response> =>
    fetch(`${url}${path}`, body === undefined ? { headers } : { method: 'POST', headers, body });

  await expect.poll(async () => (await ask('/api/v1/jobs/hello')).status).toBe(200);
  expect((await fetch(`${url}/api/v1/jobs/hello`)).status).toBe(401);
  expect(await (await ask('/metrics')).text()).toContain('process_resident_memory_bytes ');
  const refused = await ask('/api/v1/runs', '{"job_id":"hello"}');
  expect(await refused.json()).toMatchObject({ status: 422, type: 'https://flowd.org/problems/isolation-unavailable' });
});
