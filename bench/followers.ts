// 200 followers of one run: each gets every line; the time from the script's print to the follower's socket.

import { connect, type Socket } from 'node:net';
import { createRun, getRun, startInstance, waitForJobs } from './instance.ts';
import { atLeast, atMost, type Figure, nowMs, percentile } from './measure.ts';

const followers = 200;
const lines = 100;
/** Each line is the time at which it was printed; they start once the followers are there. */
const script = `sleep 3
for ((i = 0; i < ${lines}; i++)); do printf 'at %s\\n' "\${EPOCHREALTIME/./}"; sleep 0.02; done
sleep 1
`;

export async function followerFigures(): Promise<Figure[]> {
  const instance = await startInstance({ tick: { script } });
  try {
    await waitForJobs(instance.url, 1);
    const { run_id: runId } = await createRun(instance.url, 'tick');
    const delaysMs: number[] = [];
    const counts = await Promise.all(
      Array.from({ length: followers }, () => follow(instance.url, runId, (delayMs) => delaysMs.push(delayMs))),
    );
    const { status } = await getRun(instance.url, runId);
    if (status !== 'success') throw new Error(`the ticking run ended as ${status}`);
    return [
      atLeast(`lines at each of ${followers} followers, the fewest`, 'lines', Math.min(...counts), lines),
      atMost(`a line printed → ${followers} followers, p50`, 'ms', percentile(delaysMs, 50), 150),
      atMost(`a line printed → ${followers} followers, p99`, 'ms', percentile(delaysMs, 99), 150),
    ];
  } finally {
    await instance.stop();
  }
}

function follow(url: string, runId: string, onDelay: (delayMs: number) => void): Promise<number> {
  const { hostname, port, host } = new URL(url);
  return new Promise((resolve, reject) => {
    let count = 0;
    const socket: Socket = connect(Number(port), hostname, () => {
      socket.write(`GET /api/v1/runs/${runId}/logs?follow=true HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    });
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      const receivedAt = nowMs();
      for (const [, at] of text.matchAll(/"message":"at (\d+)"/g)) {
        count += 1;
        onDelay(receivedAt - Number(at) / 1000);
      }
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(count));
  });
}
