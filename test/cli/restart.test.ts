// Commands that follow a run while its server restarts.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd, start } from './terminal.ts';

const waits = 'until [ -e "$GO" ]; do sleep 0.05; done; rm "$GO"; echo late';
const env = { GO: '/workspace/go' };
const jobs = { quiet: bash(waits, { env }), talks: bash(`echo early; ${waits}`, { env }) };

async function openStreams(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^flwd_sse_streams (\d+)$/m.exec(text)?.[1]);
}

testWith('bwrap').for(['quiet', 'talks'])(
  'a %s run is followed to its end while its server restarts twice',
  async (jobId) => {
    const { dir, dataDir, serve } = await createInstance(jobs);
    let server = await serve();
    const run = start(dir, ['run', jobId, '--verbose']);
    const [, runId = ''] = await run.prints(/(run_\w+) of/);
    const log = start(dir, ['logs', runId, '--follow']);
    const events = start(dir, ['events', '--run', runId, '--type', 'run.started,run.finished', '--json']);
    if (jobId === 'talks') for (const { prints } of [run, log]) await prints(/^early$/m);
    // The second server starts only after a pause, so the commands find no server at first.
    for (const downMs of [0, 600]) {
      // Four streams: `flwd run` follows both the log and the events.
      await expect.poll(() => openStreams(server.url)).toBe(4);
      await server.stop();
      await delay(downMs);
      server = await serve();
    }
    await expect.poll(() => openStreams(server.url)).toBe(4);
    writeFileSync(join(dataDir, 'runs', runId, 'workspace', 'go'), '');
    const stdout = jobId === 'talks' ? 'early\nlate\n' : 'late\n';
    expect(await run.ended).toMatchObject({ code: 0, stdout, stderr: expect.stringMatching(/^success in /m) });
    expect(await log.ended).toMatchObject({ code: 0, stdout });
    const { code, stdout: told } = await events.ended;
    expect([code, told.match(/"event":"[\w.]+"/g)]).toEqual([0, ['"event":"run.started"', '"event":"run.finished"']]);
  },
);

testWith('bwrap')('a command waits while a starting server still reads its jobs', async () => {
  const { dir } = await createInstance({ greets: bash('echo hello') });
  for (let n = 0; n < 1_000; n++) {
    mkdirSync(join(dir, 'jobs', `job-${n}`));
    writeFileSync(join(dir, 'jobs', `job-${n}`, 'config.yaml'), 'command: [echo, hello]\n');
  }
  const server = start(dir, ['serve']);
  // The server has the data dir and is about to listen.
  await expect.poll(() => existsSync(join(dir, 'data', 'cli.token'))).toBe(true);
  expect(await flwd(dir, 'run', 'greets')).toMatchObject({ code: 0, stdout: 'hello\n' });
  await server.prints(/listening on/);
});
