// One and many followers of a run: each must get every line. Measures the time from the print to the follower's socket.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createRun, getRun, type Instance, startInstance, waitForJobs } from './instance.ts';
import { atLeast, atMost, type Figure, nowMs, percentile, type Target } from './measure.ts';

const lines = 100;
const crowds: readonly { readonly followers: number; readonly p99: Target }[] = [
  { followers: 1, p99: { goal: 25 } },
  { followers: 200, p99: { goal: 50, gate: 150 } },
  { followers: 1_000, p99: { goal: 200 } },
];
/** The server keeps half of its descriptors for other things. */
const neededDescriptors = 2 * 1_000 + 200;

export async function followerFigures(bin: string): Promise<Figure[]> {
  if (descriptorLimit() < neededDescriptors) {
    throw new Error(
      `1,000 followers take ${neededDescriptors} open files, and ${descriptorLimit()} are allowed: raise \`ulimit -Hn\``,
    );
  }
  const dir = mkdtempSync(join(tmpdir(), 'flwd-followers-'));
  const config = 'command: ./run.sh\nsecurity_profile: disabled\n';
  const jobs = crowds.map(
    ({ followers }) => [jobOf(followers), { script: scriptOf(join(dir, jobOf(followers))), config }] as const,
  );
  const instance = await startInstance(Object.fromEntries(jobs), { bin });
  try {
    await waitForJobs(instance.url, crowds.length);
    const figures: Figure[] = [];
    for (const { followers, p99 } of crowds) {
      const { counts, delaysMs } = await crowd(instance, followers, join(dir, jobOf(followers)));
      const who = followers === 1 ? '1 follower' : `${followers.toLocaleString('en')} followers`;
      figures.push(
        atMost(`a line printed → ${who}, p50`, 'ms', percentile(delaysMs, 50), p99),
        atMost(`a line printed → ${who}, p99`, 'ms', percentile(delaysMs, 99), p99),
        atLeast(`fewest lines that a follower received, ${who}`, 'lines', Math.min(...counts), { goal: lines }),
      );
    }
    return figures;
  } finally {
    await instance.stop();
    rmSync(dir, { recursive: true });
  }
}

function jobOf(followers: number): string {
  return `tick-${followers}`;
}

/** Each line is the time at which it was printed. The script starts printing once the file exists. */
function scriptOf(goPath: string): string {
  return `until [[ -e ${goPath} ]]; do sleep 0.05; done
for ((i = 0; i < ${lines}; i++)); do printf 'at %s\\n' "\${EPOCHREALTIME/./}"; sleep 0.02; done
`;
}

async function crowd(
  { url }: Instance,
  followers: number,
  goPath: string,
): Promise<{ counts: readonly number[]; delaysMs: readonly number[] }> {
  const { run_id: runId } = await createRun(url, jobOf(followers));
  const delaysMs: number[] = [];
  const all = Array.from({ length: followers }, () => follow(url, runId, (delayMs) => delaysMs.push(delayMs)));
  await Promise.all(all.map(({ opened }) => opened));
  // Waits until all work of opening the streams is done, because that is not measured.
  await delay(1_000);
  writeFileSync(goPath, '');
  const counts = await Promise.all(all.map(({ ended }) => ended));
  const { status } = await getRun(url, runId);
  if (status !== 'success') throw new Error(`the ticking run ended as ${status}`);
  if (Math.max(...counts) > lines) throw new Error('a line came twice');
  return { counts, delaysMs };
}

/** `ended` resolves with the number of received lines. */
function follow(
  url: string,
  runId: string,
  onDelay: (delayMs: number) => void,
): { opened: Promise<void>; ended: Promise<number> } {
  const { hostname, port, host } = new URL(url);
  const opened = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<number>();
  let count = 0;
  const socket: Socket = connect(Number(port), hostname, () => {
    socket.write(`GET /api/v1/runs/${runId}/logs?follow=true HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  });
  socket.setEncoding('latin1');
  socket.once('data', (head: string) => {
    if (head.startsWith('HTTP/1.1 200')) opened.resolve();
    else opened.reject(new Error(`a follower was answered ${head.slice(0, 200)}`));
  });
  let rest = '';
  socket.on('data', (text: string) => {
    const receivedAt = nowMs();
    const frames = (rest + text).split('\n\n');
    rest = frames.pop() ?? '';
    for (const frame of frames) {
      const [, at] = /"message":"at (\d+)"/.exec(frame) ?? [];
      if (at === undefined) continue;
      count += 1;
      onDelay(receivedAt - Number(at) / 1000);
    }
  });
  socket.once('error', (error) => {
    opened.reject(error);
    ended.reject(error);
  });
  socket.once('close', () => ended.resolve(count));
  return { opened: opened.promise, ended: ended.promise };
}

/** The hard limit, to which Node raises its own limit. */
function descriptorLimit(): number {
  const [, hard] = /^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  return Number(hard ?? Number.POSITIVE_INFINITY);
}
