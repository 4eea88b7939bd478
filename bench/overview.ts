// How much CPU an open overview costs the server: the same minute with and without it, in turn.

import { setTimeout as delay } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { launchChromium } from '../test/support/headless-chromium.ts';
import { cpuMs, createRun, type Instance, startInstance, waitForJobs } from './instance.ts';
import { fillWithRuns } from './many-runs.ts';
import { atMost, type Figure, median } from './measure.ts';

const rounds = 3;
const settleMs = 15_000;
const minuteMs = 60_000;
const runsAMinute = 10;

export async function overviewFigures(bin: string): Promise<Figure[]> {
  const instance = await startInstance(
    { noop: { script: 'true\n' } },
    {
      bin,
      async fillDatabase(path) {
        await fillWithRuns(path, 10_000);
      },
    },
  );
  const browser = await launchChromium();
  try {
    await waitForJobs(instance.url, 1);
    return [
      atMost('console: CPU of an idle server for an open overview, a minute', 'ms', await costs(browser, instance, 0), {
        goal: 20,
      }),
      atMost('console: the same at ten runs a minute', 'ms', await costs(browser, instance, runsAMinute), {
        goal: 100,
      }),
    ];
  } finally {
    await browser.close();
    await instance.stop();
  }
}

/** For each round, the CPU time of a minute with the page minus that of a minute without it. */
async function costs(browser: Browser, instance: Instance, runs: number): Promise<number[]> {
  const differences: number[] = [];
  for (let n = 0; n < rounds; n++) {
    const without = await cpuOfMinute(instance, runs);
    const page = await browser.newPage();
    await page.goto(instance.url);
    await page.getByText('Runs per hour').waitFor();
    await delay(settleMs);
    const withPage = await cpuOfMinute(instance, runs);
    await page.close();
    differences.push(withPage - without);
    console.error(`${runs} runs a minute: ${without.toFixed(0)} ms without, ${withPage.toFixed(0)} ms with the page`);
  }
  console.error(`${runs} runs a minute: ${median(differences).toFixed(0)} ms more with the page`);
  return differences;
}

async function cpuOfMinute({ url, pid }: Instance, runs: number): Promise<number> {
  const before = cpuMs(pid);
  const endsAt = performance.now() + minuteMs;
  for (let n = 0; n < runs; n++) {
    await createRun(url, 'noop');
    await delay(minuteMs / runs - 100);
  }
  await delay(endsAt - performance.now());
  return cpuMs(pid) - before;
}
