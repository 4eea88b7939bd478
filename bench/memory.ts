// Resident memory of the server, idle and after many runs. The server may return memory only some time after the load.

import { setTimeout as delay } from 'node:timers/promises';
import { createRun, type Instance, residentBytes, startInstance, waitForJobs } from './instance.ts';
import { atMost, type Figure, pool } from './measure.ts';

const jobs = {
  noop: { script: 'true\n' },
  lines: { script: 'for i in {1..20}; do echo "out $i"; echo "err $i" >&2; done\n' },
  keeper: { script: 'head -c 2000 /dev/urandom > "$FLWD_ARTIFACTS_DIR/kept"; flwd_progress 50 half; flwd_result 1\n' },
};
const clients = 8;
const settleMs = 10_000;

/** `bin` is the executable of the package. */
export async function memoryFigures(bin: string): Promise<Figure[]> {
  const [fromSources = Number.NaN] = await measure([], undefined);
  const [idle = Number.NaN, after = Number.NaN] = await measure([1_000], bin);
  return [
    atMost('idle memory, from the sources', 'MB', fromSources, { goal: 110, gate: 140 }),
    atMost('idle memory, packed', 'MB', idle, { goal: 110, gate: 140 }),
    atMost('memory after 1,000 runs; floor: idle, packed', 'MB', after, { goal: 1.25, floor: idle }),
  ];
}

export async function soakFigures(bin: string): Promise<Figure[]> {
  const [idle = Number.NaN, early = Number.NaN, late = Number.NaN] = await measure([1_000, 20_000], bin);
  return [
    atMost('memory after 20,000 runs; floor: idle, packed', 'MB', late, { goal: 1.25, floor: idle }),
    atMost('memory after 20,000 runs; floor: after 1,000, packed', 'MB', late, { goal: 1.1, floor: early }),
  ];
}

/** Memory of a server that has settled, before any run and after each of these numbers of runs. */
async function measure(counts: readonly number[], bin: string | undefined): Promise<number[]> {
  const instance = await startInstance(jobs, bin === undefined ? {} : { bin });
  try {
    await waitForJobs(instance.url, 3);
    const megabytes = [await settled(instance)];
    let done = 0;
    for (const count of counts) {
      await pool(count - done, clients, (index) => runOne(instance.url, index));
      done = count;
      megabytes.push(await settled(instance));
    }
    return megabytes;
  } finally {
    await instance.stop();
  }
}

async function runOne(url: string, index: number): Promise<void> {
  const names = Object.keys(jobs);
  const { status } = await createRun(url, names[index % names.length] ?? 'noop', { async: false });
  if (status !== 'success') throw new Error(`a run ended as ${status}`);
}

async function settled({ pid }: Instance): Promise<number> {
  await delay(settleMs);
  return residentBytes(pid) / 1e6;
}
