// Requests a second of the hot reads, beside a bare Fastify that answers the same bytes; and memory when idle.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createRun, getRun, residentBytes, startInstance, waitForJobs } from './instance.ts';
import { atLeast, atMost, type Figure, median } from './measure.ts';

const secondsEach = 2;
const repetitions = 3;
const config = `command: ./run.sh
description: A job with a schema of the usual size
argspec:
  type: object
  required: [target]
  properties:
    target: { type: string, description: Directory to back up }
    keep: { type: integer, minimum: 1, maximum: 365, default: 7 }
`;

export async function httpFigures(): Promise<Figure[]> {
  const instance = await startInstance({ 'backup/daily': { script: 'true\n', config } });
  try {
    await waitForJobs(instance.url, 1);
    const idleBytes = residentBytes(instance.pid);
    const { run_id: runId } = await createRun(instance.url, 'backup/daily', { args: { target: '/srv' }, async: false });
    await getRun(instance.url, runId);
    return [
      atMost('memory when idle', 'MB', idleBytes / 1e6, 140),
      await against('GET /jobs/{id}', instance.url, '/api/v1/jobs/backup/daily', 0.35),
      await against('GET /runs/{id}', instance.url, `/api/v1/runs/${runId}`, 0.35),
      await against('GET /runs', instance.url, '/api/v1/runs?limit=50', 0.17),
    ];
  } finally {
    await instance.stop();
  }
}

async function against(name: string, url: string, path: string, goal: number): Promise<Figure> {
  const body: unknown = await (await fetch(url + path)).json();
  const bare = fork(new URL('./bare-fastify.ts', import.meta.url), { stdio: 'inherit' });
  bare.send({ body });
  const [{ url: bareUrl }] = (await once(bare, 'message')) as [{ url: string }];
  const ours: number[] = [];
  const floor: number[] = [];
  for (let i = 0; i < repetitions; i++) {
    ours.push(await requestsPerSecond(url + path));
    floor.push(await requestsPerSecond(`${bareUrl}/`));
  }
  bare.kill();
  return atLeast(name, 'requests/s', median(ours), goal, median(floor));
}

/** Measured from a process of its own, over 8 kept connections. */
async function requestsPerSecond(url: string): Promise<number> {
  const load = fork(new URL('./http-load.ts', import.meta.url), [url, String(secondsEach)]);
  const [{ rate }] = (await once(load, 'message')) as [{ rate: number }];
  await once(load, 'exit');
  return rate;
}
