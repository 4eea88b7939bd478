// Starting runs: request → first instruction, and no-op runs a second, compared with a bare loop that starts the same
// sandbox.

import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SecurityProfile } from '../src/domain/job.ts';
import { ask } from './ask.ts';
import { firstMessage } from './first-message.ts';
import { bareSandbox } from './floor.ts';
import { createRun, getRun, startInstance, waitForJobs } from './instance.ts';
import { atLeast, atMost, type Figure, median, nowMs, percentile, pool, timeOf } from './measure.ts';

const config = (profile: SecurityProfile): string => `command: ./run.sh\nsecurity_profile: ${profile}\n`;
const stampScript = 'printf \'{"at": %s}\' "${EPOCHREALTIME/./}" > "$FLWD_RESULT_FILE"\n';
const stampBare = 'printf %s "${EPOCHREALTIME/./}" > /workspace/at\n';

const latencySamples = 120;
const throughputRuns = 300;
/** These runs warm up the server: the code of a server that has just started is not compiled yet. */
const warmUpRuns = 600;
const warmUpStarts = 5;
const clients = 8;
const repetitions = 5;

export async function runFigures(bin: string): Promise<Figure[]> {
  const figures: Figure[] = [];
  const instance = await startInstance(
    {
      'stamp/secure': { script: stampScript, config: config('secure') },
      'stamp/disabled': { script: stampScript, config: config('disabled') },
      'noop/secure': { script: 'true\n', config: config('secure') },
      'noop/disabled': { script: 'true\n', config: config('disabled') },
    },
    { bin },
  );
  try {
    await waitForJobs(instance.url, 4);
    for (const profile of ['secure', 'disabled'] as const) {
      await pool(warmUpRuns, clients, () => noop(instance.url, profile));
      figures.push(...(await latency(instance.url, profile)), await throughput(instance.url, profile));
    }
  } finally {
    await instance.stop();
  }
  return figures;
}

/** Alternates between a run and a bare start, and between their requests, so that both have the same conditions. */
async function latency(url: string, profile: SecurityProfile): Promise<Figure[]> {
  const bare = bareSandbox(profile, stampBare);
  const bareStore = fork(new URL('./bare-store.ts', import.meta.url), { stdio: 'inherit' });
  const ours: number[] = [];
  const floor: number[] = [];
  const answers: number[] = [];
  const bareAnswers: number[] = [];
  try {
    const { url: storeUrl } = await firstMessage<{ url: string }>(bareStore);
    const askBare = (): Promise<unknown> => ask(storeUrl, { job_id: `stamp/${profile}` });
    await pool(warmUpRuns, clients, async () => void (await askBare()));
    for (let i = -warmUpStarts; i < latencySamples; i++) {
      const askedAt = nowMs();
      const { run_id } = await createRun(url, `stamp/${profile}`);
      const answeredAt = nowMs();
      const run = await untilEnded(url, run_id);
      const startedAt = nowMs();
      await bare.run();
      const bareAt = Number(readFileSync(join(bare.workspaceDir, 'at'), 'utf8')) / 1000;
      const bareAnswer = await timeOf(askBare);
      await bare.run();
      if (i < 0) continue;
      answers.push(answeredAt - askedAt);
      bareAnswers.push(bareAnswer);
      ours.push(Number(run.result?.value.at) / 1000 - askedAt);
      floor.push(bareAt - startedAt);
    }
  } finally {
    if (bareStore.connected) bareStore.disconnect();
    bare.remove();
  }
  return [
    atMost(`request → first instruction, ${profile}, p50`, 'ms', ours, { goal: 1.5, gate: 2, floor: median(floor) }),
    atMost(`request → first instruction, ${profile}, p99`, 'ms', percentile(ours, 99), {
      goal: 4,
      gate: 6,
      floor: percentile(floor, 99),
    }),
    atMost(`answer to POST /runs, ${profile}, p50`, 'ms', answers, { goal: 2.5, gate: 4 }),
    atMost(`answer to POST /runs, ${profile}, p50; floor: a bare server that stores a row`, 'ms', answers, {
      goal: 2,
      gate: 2.5,
      floor: median(bareAnswers),
    }),
  ];
}

async function throughput(url: string, profile: SecurityProfile): Promise<Figure> {
  const bare = bareSandbox(profile, 'true\n');
  const ours: number[] = [];
  const floor: number[] = [];
  try {
    for (let i = 0; i < repetitions; i++) {
      ours.push(await rate(() => pool(throughputRuns, clients, () => noop(url, profile))));
      floor.push(await rate(() => pool(throughputRuns, 4, () => bare.run())));
    }
  } finally {
    bare.remove();
  }
  return atLeast(`no-op runs, ${profile}, ${clients} clients, 4 at a time`, 'runs/s', ours, {
    goal: 0.7,
    gate: 0.55,
    floor: median(floor),
  });
}

async function noop(url: string, profile: SecurityProfile): Promise<void> {
  const run = await createRun(url, `noop/${profile}`, { async: false });
  if (run.status !== 'success') throw new Error(`a no-op run ended as ${run.status}`);
}

async function rate(work: () => Promise<void>): Promise<number> {
  const startedAt = nowMs();
  await work();
  return throughputRuns / ((nowMs() - startedAt) / 1000);
}

async function untilEnded(url: string, runId: string): ReturnType<typeof getRun> {
  for (;;) {
    const run = await getRun(url, runId);
    if (run.finished_at) return run;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
