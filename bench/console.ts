// The console in Chromium: how soon each page can be used by a browser that has cached nothing, how soon the end of a
// long log is there, and the longest task while a long list is scrolled. Prints the time of each page to stderr.

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import { demoPages, openDemoPage } from '../test/console/demo-pages.ts';
import { startDemoServer } from '../test/support/demo-server.ts';
import { launchChromium } from '../test/support/headless-chromium.ts';
import { createRun, type Instance, startInstance, waitForJobs } from './instance.ts';
import { fillWithRuns } from './many-runs.ts';
import { atMost, type Figure, median, timeOf } from './measure.ts';

const openings = 5;
const logLines = 1_000_000;
const runCount = 10_000;
const jobCount = 5_000;
const settleMs = 3_000;
const viewport = { width: 1_440, height: 900 };

export async function consoleFigures(bin: string): Promise<Figure[]> {
  const browser = await launchChromium();
  try {
    return [await slowestPage(browser, bin), ...(await longLog(browser, bin)), ...(await longLists(browser, bin))];
  } finally {
    await browser.close();
  }
}

/** Uses a page in a new profile of the browser, as on a first visit. */
async function inNewPage<Answer>(browser: Browser, use: (page: Page) => Promise<Answer>): Promise<Answer> {
  const page = await browser.newPage({ viewport });
  try {
    return await use(page);
  } finally {
    await page.close();
  }
}

async function slowestPage(browser: Browser, bin: string): Promise<Figure> {
  const server = await startDemoServer(mkdtempSync(join(tmpdir(), 'flwd-bench-console-')), { bin });
  let slowest = { path: '', times: [0] };
  try {
    // Warms up the server: the code of a server that has just started is not compiled yet.
    for (const demoPage of demoPages) await inNewPage(browser, (page) => openDemoPage(page, server, demoPage));
    for (const demoPage of demoPages) {
      const times: number[] = [];
      for (let n = 0; n < openings; n++) {
        times.push(await inNewPage(browser, (page) => timeOf(() => openDemoPage(page, server, demoPage))));
      }
      const [path] = demoPage;
      console.error(`${path}: ${Math.round(median(times))} ms`);
      if (median(times) > median(slowest.times)) slowest = { path, times };
    }
  } finally {
    await server.stop();
  }
  return atMost(`console: the slowest of ${demoPages.length} pages, cold (${slowest.path})`, 'ms', slowest.times, {
    goal: 1_000,
  });
}

async function longLog(browser: Browser, bin: string): Promise<Figure[]> {
  const script = `seq -f 'copied /srv/data/customers/orders-%.0f.parquet' ${logLines}\n`;
  const instance = await startInstance({ print: { script } }, { bin });
  try {
    await waitForJobs(instance.url, 1);
    const { run_id: runId } = await createRun(instance.url, 'print', { async: false });
    const figures: Figure[] = [];
    for (const [what, path] of [
      ['log', `/runs/${runId}/log`],
      ['run', `/runs/${runId}`],
    ] as const) {
      const times: number[] = [];
      for (let n = 0; n < openings; n++) {
        const open = async (page: Page): Promise<void> => {
          await page.goto(instance.url + path);
          await page.getByRole('log').getByText(`orders-${logLines}.parquet`).waitFor();
        };
        times.push(await inNewPage(browser, (page) => timeOf(() => open(page))));
      }
      figures.push(
        atMost(`console: the page of a ${what}, open at the end of 1,000,000 lines`, 'ms', times, { goal: 1_000 }),
      );
    }
    return figures;
  } finally {
    await instance.stop();
  }
}

async function longLists(browser: Browser, bin: string): Promise<Figure[]> {
  const jobs = Object.fromEntries(
    Array.from({ length: jobCount }, (_, n) => [`team-${n % 20}/job-${n}`, { script: 'true\n' }]),
  );
  const instance = await startInstance(jobs, {
    bin,
    async fillDatabase(path) {
      await fillWithRuns(path, runCount);
    },
  });
  try {
    await waitForJobs(instance.url, jobCount);
    return [
      atMost('console: 10,000 runs scrolled, longest task', 'ms', await longestTask(browser, instance, '/runs'), {
        goal: 50,
      }),
      atMost('console: 5,000 jobs scrolled, longest task', 'ms', await longestTask(browser, instance, '/jobs'), {
        goal: 50,
      }),
    ];
  } finally {
    await instance.stop();
  }
}

/**
 * The longest task in each of three scrolls from top to end. The browser reports only tasks of 50 ms and more, so 0
 * means that all tasks were shorter.
 */
async function longestTask(browser: Browser, { url }: Instance, path: string): Promise<number[]> {
  const longest: number[] = [];
  for (let n = 0; n < 3; n++) {
    longest.push(
      await inNewPage(browser, async (page) => {
        await page.goto(url + path);
        await page.getByRole('table').getByRole('link').first().waitFor();
        // What the page still does after its first rows does not belong to scrolling.
        await delay(settleMs);
        await page.evaluate(`globalThis.tasks = [];
          new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration)))
            .observe({ type: 'longtask' })`);
        const tookMs = await timeOf(() => scrollToEnd(page));
        const most = await page.evaluate<number>('Math.max(0, ...tasks)');
        console.error(`${path}: scrolled in ${Math.round(tookMs / 1_000)} s, longest task ${Math.round(most)} ms`);
        return most;
      }),
    );
  }
  return longest;
}

/** How far a fast mouse wheel scrolls in one frame. */
const stepPx = 600;
/** A list that has not moved for this long has reached its end. */
const endMs = 1_000;

/** Scrolls inside the page. With a round trip for each frame, the scrolls of this file took minutes. */
async function scrollToEnd(page: Page): Promise<void> {
  await page.evaluate(`(async () => {
    for (let before = -1, movedAt = performance.now(); performance.now() - movedAt < ${endMs}; before = scrollY) {
      scrollBy(0, ${stepPx});
      await new Promise(requestAnimationFrame);
      if (scrollY !== before) movedAt = performance.now();
    }
  })()`);
}
