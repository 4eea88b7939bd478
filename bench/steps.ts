// 40 steps of 10 ms in a row, compared with 40 bare starts of the same script in the same sandbox.

import { setTimeout as delay } from 'node:timers/promises';
import { bareSandbox } from './floor.ts';
import { createRun, getRun, startInstance, waitForJobs } from './instance.ts';
import { atMost, type Figure, median, timeOf } from './measure.ts';

const count = 40;
const repetitions = 5;
const script = 'sleep 0.01\n';

export async function stepFigures(bin: string): Promise<Figure[]> {
  const steps = Array.from({ length: count }, (_, i) => ({
    id: `step-${i + 1}`,
    script: './run.sh',
    needs: i === 0 ? [] : [`step-${i}`],
  }));
  const instance = await startInstance(
    {
      row: { script: `#!/usr/bin/env bash\n${script}`, config: JSON.stringify({ composition: 'steps', steps }) },
    },
    { bin },
  );
  const bare = bareSandbox('secure', script);
  try {
    await waitForJobs(instance.url, 1);
    const ours: number[] = [];
    const floor: number[] = [];
    // Alternates between the two, so that both have the same conditions. The first call of each warms up.
    for (let i = 0; i <= repetitions; i++) {
      const oursMs = await timeOf(() => runToItsEnd(instance.url));
      const floorMs = await timeOf(async () => {
        for (let step = 0; step < count; step++) await bare.run();
      });
      if (i === 0) continue;
      ours.push(oursMs);
      floor.push(floorMs);
    }
    return [atMost(`${count} steps of 10 ms in a row`, 'ms', ours, { goal: 1.2, gate: 1.4, floor: median(floor) })];
  } finally {
    bare.remove();
    await instance.stop();
  }
}

async function runToItsEnd(url: string): Promise<void> {
  const { run_id: runId } = await createRun(url, 'row');
  for (;;) {
    const { status, finished_at } = await getRun(url, runId);
    if (finished_at === null) await delay(5);
    else if (status === 'success') return;
    else throw new Error(`a run of ${count} steps ended as ${status}`);
  }
}
