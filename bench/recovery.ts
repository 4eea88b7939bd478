// The cost of a restart and of a mass cancel: 100 running jobs are resumed, 30 are cancelled at once.

import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Fleet, startFleet } from './fleet.ts';
import { createRun, getRun, waitForJobs } from './instance.ts';
import { atMost, type Figure, nowMs } from './measure.ts';

const running = 100;
const cancelled = 30;
const graceMs = 2_000;
const mark = `3600.${process.pid}`;

/** Prints a line every quarter of a second without starting a process for it. */
const ticking = 'exec {never}<> <(:)\nwhile :; do echo tick; read -t 0.25 -u "$never" || true; done\n';
/** Half of the processes ignore TERM, and all of them leave their process group. */
const stubborn = `trap '' TERM
setsid sleep ${mark} &
setsid bash -c 'trap "" TERM HUP; sleep ${mark}' &
echo ready
while :; do sleep ${mark} || true; done
`;

export async function recoveryFigures(bin: string): Promise<Figure[]> {
  const fleet = await startFleet(bin, {
    ticking: { script: ticking, config: 'command: ./run.sh\ncancel: { grace: 1s }\n' },
    stubborn: { script: stubborn, config: `command: ./run.sh\ncancel: { grace: ${graceMs}ms }\n` },
  });
  try {
    await waitForJobs(fleet.url, 2);
    return [...(await resumes(fleet)), ...(await cancels(fleet))];
  } finally {
    await fleet.stop();
  }
}

/** The time from the start of the process until every run's first line has arrived. */
async function resumes(fleet: Fleet): Promise<Figure[]> {
  const runIds = await startAll(fleet, 'ticking', running);
  const lastId = await untilHeard(fleet.url, runIds, 0);
  await fleet.kill();
  // Meanwhile every script prints lines that the next server must read.
  await delay(500);
  const startedAt = nowMs();
  await fleet.startAgain();
  const listeningAt = nowMs();
  await untilHeard(fleet.url, runIds, lastId);
  const tookMs = nowMs() - startedAt;
  await cancelAll(fleet, runIds);
  return [
    atMost(`restart with ${running} running jobs → health answers`, 'ms', listeningAt - startedAt, { goal: 2_000 }),
    atMost(`restart with ${running} running jobs → the last is resumed`, 'ms', tookMs, { goal: 2_000 }),
  ];
}

async function cancels(fleet: Fleet): Promise<Figure[]> {
  const runIds = await startAll(fleet, 'stubborn', cancelled);
  await untilHeard(fleet.url, runIds, 0);
  const startedAt = nowMs();
  await cancelAll(fleet, runIds);
  const tookMs = nowMs() - startedAt;
  const name = `${cancelled} runs that ignore TERM, cancelled at once with a grace of ${graceMs / 1_000} s`;
  return [
    atMost(`${name}: all ended`, 'ms', tookMs, { goal: graceMs + 2_000 }),
    atMost(`${name}: processes left`, 'processes', processesLeft(), { goal: 0 }),
  ];
}

function startAll(fleet: Fleet, jobId: string, count: number): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, async () => (await createRun(fleet.url, jobId)).run_id));
}

async function cancelAll(fleet: Fleet, runIds: readonly string[]): Promise<void> {
  await Promise.all(
    runIds.map(async (runId) => {
      const answer = await fetch(`${fleet.url}/api/v1/runs/${runId}/cancel`, { method: 'POST' });
      let { status } = (await answer.json()) as { status: string };
      // The answer may come before the run has ended, if that takes longer.
      while (status === 'running') {
        await delay(20);
        ({ status } = await getRun(fleet.url, runId));
      }
      if (status !== 'cancelled') throw new Error(`a cancelled run is ${status}`);
    }),
  );
}

/** Resolves when each of the runs has printed something after the event `afterId`. @returns the id of the last event */
async function untilHeard(url: string, runIds: readonly string[], afterId: number): Promise<number> {
  const silent = new Set(runIds);
  const stop = new AbortController();
  const headers = { 'last-event-id': String(afterId) };
  const answer = await fetch(`${url}/api/v1/events/runs?types=run.output`, { headers, signal: stop.signal });
  let rest = '';
  let lastId = afterId;
  for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const frames = (rest + chunk).split('\n\n');
    rest = frames.pop() ?? '';
    for (const frame of frames) {
      lastId = Number(/^id: (\d+)$/m.exec(frame)?.[1] ?? lastId);
      silent.delete(/"run_id":"([^"]+)"/.exec(frame)?.[1] ?? '');
    }
    if (silent.size === 0) break;
  }
  stop.abort();
  return lastId;
}

function processesLeft(): number {
  return readdirSync('/proc').filter((name) => {
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'latin1').includes(mark);
    } catch {
      return false;
    }
  }).length;
}
