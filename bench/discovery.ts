// 10,000 jobs: the time from the start of the process to a list with all of them, and from a write to a list that shows
// it.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BenchJob, startInstance, waitForJobs } from './instance.ts';
import { atMost, type Figure, nowMs } from './measure.ts';

const count = 10_000;
const named = '10,000 jobs';

export async function discoveryFigures(bin: string): Promise<Figure[]> {
  const config =
    'command: ./run.sh\nargspec: { type: object, properties: { target: { type: string }, keep: { type: integer } } }\n';
  const jobs: Record<string, BenchJob> = {};
  for (let i = 0; i < count; i++) jobs[`group-${i % 50}/job-${i}`] = { script: 'true\n', config };
  let startedAt = 0;
  const instance = await startInstance(jobs, {
    bin,
    onStart() {
      startedAt = nowMs();
    },
  });
  try {
    const listeningAt = nowMs();
    await waitForJobs(instance.url, count);
    const listedAt = nowMs();
    const seenMs: number[] = [];
    for (let i = 0; i < 5; i++) {
      writeFileSync(join(instance.jobsDir, `group-0/job-0/config.yaml`), `${config}version: 2.0.${i}\n`);
      const changedAt = nowMs();
      for (;;) {
        const job = (await (await fetch(`${instance.url}/api/v1/jobs/group-0/job-0`)).json()) as { version: string };
        if (job.version === `2.0.${i}`) break;
      }
      seenMs.push(nowMs() - changedAt);
    }
    return [
      atMost(`${named}: start → health answers`, 'ms', listeningAt - startedAt, { goal: 3_000, gate: 4_000 }),
      atMost(`${named}: start → all listed`, 'ms', listedAt - startedAt, { goal: 3_000, gate: 4_000 }),
      atMost(`${named}: a changed one is seen, the slowest of 5`, 'ms', Math.max(...seenMs), {
        goal: 300,
        gate: 1_000,
      }),
    ];
  } finally {
    await instance.stop();
  }
}
