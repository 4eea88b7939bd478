// Reads a whole log over HTTP, as text and as JSON lines, compared with a minimal program that reads the same segments.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { firstMessage } from './first-message.ts';
import { createRun, getRun, type Instance, startInstance, waitForJobs } from './instance.ts';
import { atMost, type Figure, median, nowMs } from './measure.ts';

const repetitions = 7;
const script = (lineCount: number): string => `exec python3 - <<'PY'
import sys
write = sys.stdout.write
for i in range(${lineCount}):
    write(f"{i:07d} copied /srv/data/customers/{i % 977}/orders-{i % 31}.parquet\\n")
PY
`;
const logs = [
  { job: 'short', lineCount: 212_000, name: 'a log of 12 MB' },
  { job: 'long', lineCount: 2_000_000, name: '2,000,000 lines' },
];

export async function readingFigures(bin: string): Promise<Figure[]> {
  const jobs = Object.fromEntries(logs.map(({ job, lineCount }) => [job, { script: script(lineCount) }]));
  const instance = await startInstance(jobs, { bin });
  try {
    await waitForJobs(instance.url, logs.length);
    const figures: Figure[] = [];
    for (const { job, name, lineCount } of logs) {
      const { took, textBytes } = await sample(instance, job, lineCount);
      figures.push(
        atMost(`${name}, whole, as text`, 'ms', took.text, { goal: 2, gate: 3, floor: median(took.textFloor) }),
        atMost(`${name}, whole, as JSON lines`, 'ms', took.json, { goal: 1, gate: 1.3, floor: median(took.jsonFloor) }),
      );
      if (textBytes < 13e6)
        figures.push(atMost(`${name}, whole, as text, by the clock`, 'ms', took.text, { goal: 100, gate: 200 }));
    }
    return figures;
  } finally {
    await instance.stop();
  }
}

async function sample(instance: Instance, job: string, lineCount: number) {
  let run = await getRun(instance.url, (await createRun(instance.url, job)).run_id);
  while (!run.finished_at) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    run = await getRun(instance.url, run.run_id);
  }
  if (run.status !== 'success') throw new Error(`the printing run ended as ${run.status}`);
  const floor = await startFloor(join(instance.dataDir, 'logs'), run.run_id);
  const { port } = new URL(instance.url);
  const took: Record<'text' | 'json' | 'textFloor' | 'jsonFloor', number[]> = {
    text: [],
    json: [],
    textFloor: [],
    jsonFloor: [],
  };
  let textBytes = 0;
  try {
    for (let i = 0; i < repetitions; i++) {
      const text = await read(Number(port), request(run.run_id, 'text/plain'));
      const json = await read(Number(port), request(run.run_id, 'application/x-ndjson'));
      if (json.newlines < lineCount || text.newlines < lineCount) throw new Error('lines are missing');
      textBytes = text.bytes;
      took.text.push(text.ms);
      took.json.push(json.ms);
      took.textFloor.push((await read(floor.port, 't')).ms);
      took.jsonFloor.push((await read(floor.port, 'j')).ms);
    }
  } finally {
    floor.stop();
  }
  return { took, textBytes };
}

function request(runId: string, accept: string): string {
  return `GET /api/v1/runs/${runId}/logs HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: ${accept}\r\nConnection: close\r\n\r\n`;
}

/** Reads to the end through a plain socket, so that both are read in the same way. */
async function read(port: number, asked: string): Promise<{ ms: number; bytes: number; newlines: number }> {
  const pieces: Buffer[] = [];
  const startedAt = nowMs();
  const socket = connect(port, '127.0.0.1', () => socket.write(asked));
  socket.on('data', (piece) => pieces.push(piece));
  await once(socket, 'close');
  const ms = nowMs() - startedAt;
  let bytes = 0;
  let newlines = 0;
  for (const piece of pieces) {
    bytes += piece.length;
    for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) newlines++;
  }
  return { ms, bytes, newlines };
}

async function startFloor(dir: string, runId: string): Promise<{ port: number; stop: () => void }> {
  const child = fork(join(import.meta.dirname, 'log-floor.ts'));
  child.send({ dir, runId });
  const { port } = await firstMessage<{ port: number }>(child);
  return { port, stop: () => child.disconnect() };
}
