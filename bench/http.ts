// Requests a second of the most frequent reads, compared with a bare Fastify that answers the same bytes.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { firstMessage } from './first-message.ts';
import { createRun, startInstance, waitForJobs } from './instance.ts';
import { atLeast, type Figure, median, pool, type Target } from './measure.ts';

const secondsEach = 2;
const repetitions = 3;
const listed = 50;
const config = `command: ./run.sh
description: A job with a schema of the usual size
argspec:
  type: object
  required: [target]
  properties:
    target: { type: string, description: Directory to back up }
    keep: { type: integer, minimum: 1, maximum: 365, default: 7 }
`;

export async function httpFigures(bin: string): Promise<Figure[]> {
  const instance = await startInstance({ 'backup/daily': { script: 'true\n', config } }, { bin });
  try {
    await waitForJobs(instance.url, 1);
    const start = { args: { target: '/srv' }, async: false };
    const { run_id: runId } = await createRun(instance.url, 'backup/daily', start);
    await pool(listed, 4, async () => {
      await createRun(instance.url, 'backup/daily', start);
    });
    return [
      await against('GET /jobs/{id}', instance.url, '/api/v1/jobs/backup/daily', { goal: 0.5, gate: 0.35 }),
      await against('GET /runs/{id}', instance.url, `/api/v1/runs/${runId}`, { goal: 0.35 }),
      await against(`GET /runs, ${listed} a page`, instance.url, `/api/v1/runs?limit=${listed}`, {
        goal: 0.5,
        gate: 0.17,
      }),
    ];
  } finally {
    await instance.stop();
  }
}

async function against(name: string, url: string, path: string, target: Target): Promise<Figure> {
  const body: unknown = await (await fetch(url + path)).json();
  const bare = fork(new URL('./bare-fastify.ts', import.meta.url), { stdio: 'inherit' });
  bare.send({ body });
  const { url: bareUrl } = await firstMessage<{ url: string }>(bare);
  const ours: number[] = [];
  const floor: number[] = [];
  for (let i = 0; i <= repetitions; i++) {
    const rates = [await requestsPerSecond(url + path), await requestsPerSecond(`${bareUrl}/`)] as const;
    // The first round warms up: the code of a server that has just started is not compiled yet.
    if (i === 0) continue;
    ours.push(rates[0]);
    floor.push(rates[1]);
  }
  bare.kill();
  return atLeast(name, 'requests/s', ours, { ...target, floor: median(floor) });
}

/** Measured from another process, over 8 kept-alive connections. */
async function requestsPerSecond(url: string): Promise<number> {
  const load = fork(new URL('./http-load.ts', import.meta.url), [url, String(secondsEach)]);
  const { rate } = await firstMessage<{ rate: number }>(load);
  await once(load, 'exit');
  return rate;
}
