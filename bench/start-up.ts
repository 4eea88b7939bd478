// How long commands of the package take, compared with `node -e 0`, and how long a server takes until it is ready,
// compared with loading only Fastify.

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { listeningUrl, startInstance } from './instance.ts';
import { atMost, type Figure, median, nowMs, timeOf } from './measure.ts';

const jobs = 50;
const repetitions = 15;

const calls: readonly { readonly words: readonly string[]; readonly goal: number; readonly isServed?: boolean }[] = [
  { words: ['version'], goal: 1.5 },
  { words: ['jobs', '--json'], goal: 4 },
  { words: ['jobs', '--json'], goal: 4, isServed: true },
  { words: ['__complete', '1', 'run', 'team-1/'], goal: 3.5 },
];

/** `bin` is the executable of the package. */
export async function startUpFigures(bin: string): Promise<Figure[]> {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-commands-'));
  try {
    for (let i = 0; i < jobs; i++) {
      const job = join(dir, 'jobs', `team-${i % 5}`, `job-${i}`);
      mkdirSync(job, { recursive: true });
      writeFileSync(join(job, 'config.yaml'), 'command: ./run.sh\n');
      writeFileSync(join(job, 'run.sh'), '#!/bin/sh\n', { mode: 0o755 });
    }
    writeFileSync(
      join(dir, 'flwd.yaml'),
      `instance: { data_dir: ${join(dir, 'data')} }\nserver: { bind: "127.0.0.1:0" }\nlogging: { level: warn }\n`,
    );
    const figures: Figure[] = [];
    for (const call of calls) figures.push(await command(bin, dir, call));
    return [...figures, await startToReady(bin)];
  } finally {
    // The last completion may still be refreshing its index in this folder.
    rmSync(dir, { recursive: true, maxRetries: 10, retryDelay: 100 });
  }
}

async function command(bin: string, dir: string, { words, goal, isServed }: (typeof calls)[number]): Promise<Figure> {
  const server = isServed
    ? spawn(process.execPath, [bin, 'serve'], { cwd: dir, stdio: ['ignore', 'pipe', 'inherit'] })
    : undefined;
  try {
    if (server) await listeningUrl(server);
    const { ours, floor } = await alternately(
      () => timeOf(() => node(dir, [bin, ...words])),
      () => timeOf(() => node(dir, ['-e', '0'])),
    );
    const name = `flwd ${words.join(' ')}, packed${isServed === undefined ? '' : ', with a server'}`;
    return atMost(name, 'ms', ours, { goal, floor: median(floor) });
  } finally {
    if (server) {
      const ended = new Promise((resolve) => server.once('exit', resolve));
      server.kill('SIGTERM');
      await ended;
    }
  }
}

async function startToReady(bin: string): Promise<Figure> {
  const loading = ['--input-type=module', '-e', `await import(${JSON.stringify(import.meta.resolve('fastify'))})`];
  const { ours, floor } = await alternately(
    async () => {
      let startedAt = 0;
      const instance = await startInstance(
        { noop: { script: 'true\n' } },
        {
          bin,
          onStart() {
            startedAt = nowMs();
          },
        },
      );
      const tookMs = nowMs() - startedAt;
      await instance.stop();
      return tookMs;
    },
    () => timeOf(() => node(dirname(dirname(bin)), loading)),
  );
  return atMost('start → ready, packed; floor: a process that imports fastify', 'ms', ours, {
    goal: 2,
    plus: 250,
    floor: median(floor),
  });
}

/** Alternates between the two, so that both have the same conditions. The first call of each warms up. */
async function alternately(
  one: () => Promise<number>,
  other: () => Promise<number>,
): Promise<{ ours: readonly number[]; floor: readonly number[] }> {
  const ours: number[] = [];
  const floor: number[] = [];
  for (let i = 0; i <= repetitions; i++) {
    const [oursMs, floorMs] = [await one(), await other()];
    if (i === 0) continue;
    ours.push(oursMs);
    floor.push(floorMs);
  }
  return { ours, floor };
}

/** Runs the command to its end in that folder, which is also its HOME. */
function node(dir: string, words: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, words, {
    cwd: dir,
    stdio: 'ignore',
    env: { PATH: process.env.PATH, HOME: dir },
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`node ${words.join(' ')}: exit code ${code}`)),
    );
  });
}
