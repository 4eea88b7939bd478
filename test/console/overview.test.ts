// The first page: what runs, waits, asks for an approval and failed, and how the last day compares with the day before.

import type { Page } from 'playwright-core';
import { afterAll, describe, expect } from 'vitest';
import type { AnswerOf } from '../../src/contract/operations.ts';
import { startServing } from '../server/serving.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { aBrowser } from './a-browser.ts';

const asks = (text: string) => ({ 'config.yaml': JSON.stringify({ steps: [{ id: 'gate', approval: { text } }] }) });
/** A schedule that, at any time of the day, starts its next run in 22 to 23 hours. */
const nearlyADay = `0 ${(new Date().getUTCHours() + 23) % 24} * * *`;
const server = await startServing({
  executes: true,
  jobs: {
    'shop/release': bash('echo "price list is empty" >&2; exit 1'),
    report: bash('true', { schedules: [{ cron: nearlyADay, timezone: 'UTC' }] }),
    'deploy/api': asks('Release to production?'),
    'deploy/web': asks('Release the web?'),
    'slow/one': bash('sleep 600', { concurrency: { limit: 1 } }),
  },
});
afterAll(() => server.close());
const browser = aBrowser();

const cardOf = (page: Page, name: string) => page.getByRole('region', { name, exact: true });
async function ran(jobId: string): Promise<string> {
  const answer = await server.post('/runs', { job_id: jobId, async: false });
  return JSON.parse(await answer.text()).run_id;
}
async function started(jobId: string): Promise<string> {
  return JSON.parse(await (await server.post('/runs', { job_id: jobId })).text()).run_id;
}

describe('the overview', () => {
  testWith(headlessChromium)(
    'is the first page, counts runs that ended, and groups failures by their message',
    async () => {
      for (let n = 0; n < 3; n++) await ran('report');
      const failed = [await ran('shop/release'), await ran('shop/release')];
      const page = await browser.open(server.url);
      await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
      const figures = page.locator('dl');
      await figures.getByText('60 %').waitFor();
      await expect.poll(() => figures.textContent()).toMatch(/Runs5.*Failed2.*all with one error/);
      // The line is not flat, because it includes the current hour.
      const paths = await page.getByRole('img', { name: 'Trend of runs' }).locator('path').all();
      const drawn = (await Promise.all(paths.map((path) => path.getAttribute('d')))).join('');
      expect(drawn).toMatch(/,3(?![\d.])/);
      expect(drawn).toMatch(/,15(?![\d.])/);
      await cardOf(page, 'Failures since yesterday').getByText('2 runs', { exact: true }).waitFor();
      const message = page.getByRole('list', { name: 'Failures' }).getByRole('link', { name: /price list is empty/ });
      await expect.poll(() => message.getAttribute('href')).toBe(`/runs/${failed[1]}`);
      await cardOf(page, 'Runs per hour').getByRole('button', { name: 'Show as table' }).click();
      await page.getByRole('columnheader', { name: 'Failed' }).waitFor();
      await page.getByRole('list', { name: 'Schedules of the next 24 hours' }).getByText('report').waitFor();
      await figures.getByRole('link', { name: 'Failed' }).click();
      await page.waitForURL(/\/runs\?q=status%3Afailed/);
    },
  );

  testWith(headlessChromium)('has small charts whose line is dashed in the hour that is not over', async () => {
    const page = await browser.open(`${server.url}/runs`);
    await page.route('**/api/v1/stats?*', async (route) => {
      const stats: AnswerOf<'getStats'> = JSON.parse(await (await route.fetch()).text());
      const runs = stats.runs.map((one) => ({ ...one, success: 2, failed: 1 }));
      const times = stats.times.map((one) => ({
        ...one,
        duration: { ...one.duration, p50_ms: 5 },
        waiting: { ...one.waiting, p95_ms: 5 },
      }));
      await route.fulfill({ json: { ...stats, runs, times } });
    });
    await page.goto(server.url);
    // The last section of each line is a path of its own.
    const dashes = `[...document.querySelectorAll('dl [aria-label^="Trend of"] path')].map((path) => getComputedStyle(path).strokeDasharray)`;
    const drawn = Array.from({ length: 5 }, () => ['none', '1.5px, 1.5px']).flat();
    await expect.poll(() => page.evaluate(dashes)).toEqual(drawn);
  });

  testWith(headlessChromium)('keeps range and namespace in the URL', async () => {
    const page = await browser.open(`${server.url}/?range=30d&namespace=shop`);
    await cardOf(page, 'Runs per day').waitFor();
    await page.locator('dl').getByText('0 %', { exact: true }).waitFor();
    await page.getByRole('button', { name: '7 d' }).click();
    await cardOf(page, 'Runs per hour').waitFor();
    expect(new URL(page.url()).search).toBe('?range=7d&namespace=shop');
  });

  testWith(headlessChromium)('shows an approval while it is open, and lets the user answer it there', async () => {
    const page = await browser.open(server.url);
    await cardOf(page, 'Approvals').getByText('Nothing waits for an answer.').waitFor();
    const [first, second] = [await started('deploy/api'), await started('deploy/web')];
    await cardOf(page, 'Approvals').getByText('Release to production?').waitFor();
    const waited = cardOf(page, 'Approvals').getByText(/^\d+ s$/);
    await waited.first().waitFor();
    await page.getByText('2 wait for you').waitFor();
    await page.getByRole('button', { name: 'Approve deploy/api' }).press('Enter');
    await page.getByText('1 waits for you').waitFor();
    // To deny, the user must enter a reason.
    await page.getByRole('link', { name: 'Deny… deploy/web' }).click();
    await page.getByRole('textbox', { name: 'Reason' }).fill('not on a Friday');
    await page.getByRole('button', { name: 'Deny', exact: true }).click();
    await page.getByRole('link', { name: 'Overview' }).click();
    await cardOf(page, 'Approvals').getByText('Nothing waits for an answer.').waitFor();
    const statusOf = async (id: string) => JSON.parse(await (await server.fetch(`/runs/${id}`)).text()).status;
    await expect.poll(() => statusOf(first)).toBe('success');
    await expect.poll(() => statusOf(second)).toBe('failed');
  });

  testWith(headlessChromium)('shows which runs are running, and why others wait', async () => {
    const page = await browser.open(server.url);
    const [running, waiting] = [await started('slow/one'), await started('slow/one')];
    await page.getByRole('list', { name: 'Running' }).getByRole('link', { name: 'slow/one' }).waitFor();
    await page.getByRole('list', { name: 'Waiting' }).getByText('only one run of slow/one at a time').waitFor();
    for (const id of [waiting, running]) await server.post(`/runs/${id}/cancel?force=true`, '');
    await cardOf(page, 'Running').getByText('Nothing is running.').waitFor();
  });
});

testWith(headlessChromium)('the texts of empty cards start at the same left edge', async () => {
  await using empty = await startServing();
  const page = await browser.open(empty.url);
  const leftOf = async (text: string): Promise<number | undefined> => {
    await page.getByText(text).waitFor();
    return (await page.getByText(text).boundingBox())?.x;
  };
  const left = await leftOf('Nothing is running.');
  expect(left).toBeGreaterThan(0);
  expect(await leftOf('No schedule starts a run in this time.')).toBe(left);
});

testWith(headlessChromium)('the overview shows late runs and missed times until they are over', async () => {
  const { late, db } = server.store;
  const common = { tenant: 'default', atMs: Date.now(), scheduleId: null } as const;
  const runId = await started('slow/one');
  await db.transact(async (tx) => {
    await late.add(tx, {
      ...common,
      jobId: 'slow/one',
      kind: 'duration',
      key: runId,
      runId,
      detail: 'It was still running after 1s of work, which is the most it should take.',
    });
    const detail = 'The schedule started no run for 2026-06-01 06:00 UTC.';
    for (const key of ['2026-06-01', '2026-06-02'])
      await late.add(tx, { ...common, jobId: 'report', kind: 'missed', key, runId: null, detail });
  });
  const page = await browser.open(server.url);
  const card = cardOf(page, 'Late and missed');
  const rows = card.getByRole('list', { name: 'Late and missed' }).getByRole('listitem');
  await expect.poll(() => rows.count()).toBe(2);
  await rows.filter({ hasText: /^2 times:The schedule started no run/ }).waitFor();
  const links = (row: number) => rows.nth(row).getByRole('link');
  const hrefs = async (name: RegExp) => card.getByRole('link', { name }).first().getAttribute('href');
  await expect.poll(() => hrefs(/after 1s of work/)).toBe(`/runs/${runId}`);
  await expect.poll(() => hrefs(/no run for 2026-06-01/)).toBe('/jobs/report');
  await expect.poll(async () => (await links(0).count()) + (await links(1).count())).toBe(4);

  await server.post(`/runs/${runId}/cancel?force=true`, '');
  const open = await late.list({ limit: 10 });
  await db.transact(async (tx) => {
    for (const one of open) await late.end(tx, one, Date.now());
  });
  await page.reload();
  await cardOf(page, 'Running').getByText('Nothing is running.').waitFor();
  await expect.poll(() => card.count()).toBe(0);
});

testWith(headlessChromium)('a group of failures counts as fixed once each of its jobs has succeeded', async () => {
  const argspec = { type: 'object', properties: { why: { type: 'string' } } };
  const job = bash('test -z "$FLWD_ARG_WHY" || { echo "$FLWD_ARG_WHY" >&2; exit 3; }', { argspec });
  await using mended = await startServing({ executes: true, jobs: { one: job, two: job, three: job } });
  const ends = (jobId: string, why: string) => mended.post('/runs', { job_id: jobId, args: { why }, async: false });
  for (const jobId of ['one', 'two']) await ends(jobId, 'list is empty');
  await ends('three', 'file is missing');
  for (const jobId of ['one', 'three']) await ends(jobId, '');
  const page = await browser.open(mended.url);
  const group = (text: string) =>
    page.getByRole('list', { name: 'Failures' }).getByRole('listitem').filter({ hasText: text });
  await group('file is missing').getByText('fixed', { exact: true }).waitFor();
  expect(await group('list is empty').getByText('fixed').count()).toBe(0);
  await ends('two', '');
  await page.reload();
  await group('list is empty').getByText('fixed', { exact: true }).waitFor();
});

testWith(headlessChromium)('the overview of an empty instance shows the command that creates a job', async () => {
  await using empty = await startServing();
  const page = await browser.open(empty.url);
  await page.getByText('flwd init jobs/hello').waitFor();
});

testWith(headlessChromium)('the overview does not mention missed times if there are no schedules', async () => {
  await using unscheduled = await startServing({ jobs: { plain: bash('true') } });
  const page = await browser.open(unscheduled.url);
  const card = cardOf(page, 'Next 24 hours');
  await card.getByText('No schedule starts a run in this time.').waitFor();
  expect(await card.getByText(/missed/).count()).toBe(0);
});

testWith(headlessChromium)('the overview counts missed times of schedules that run often', async () => {
  await using often = await startServing({ jobs: { often: bash('true', { schedules: [{ cron: '*/5 * * * *' }] }) } });
  const page = await browser.open(often.url);
  const card = cardOf(page, 'Next 24 hours');
  await card.getByText('none missed', { exact: true }).waitFor();
  await page.route(/\/schedules\/fires/, async (route) => {
    const answer: AnswerOf<'listScheduleFires'> = await (await route.fetch()).json();
    await route.fulfill({ json: { ...answer, frequent: answer.frequent.map((one) => ({ ...one, missed: 3 })) } });
  });
  await page.reload();
  await card.getByText('3 missed', { exact: true }).waitFor();
});

testWith(headlessChromium)(
  'the overview says if only schedules that run often start runs in the next 24 hours',
  async () => {
    const schedules = [{ cron: '*/5 * * * *' }, { cron: '@hourly' }, { cron: '*/7 * * * *', held: true }];
    await using often = await startServing({ jobs: { often: bash('true', { schedules }) } });
    const page = await browser.open(often.url);
    const card = cardOf(page, 'Next 24 hours');
    await card.getByText('2 schedules that run at least 16 times a day', { exact: true }).waitFor();
    await card.getByText('Only schedules that run at least 16 times a day start runs in this time.').waitFor();
  },
);

testWith(headlessChromium)(
  'the overview says that all schedules are paused instead of listing their runs, also on a phone',
  async () => {
    await using paused = await startServing({
      jobs: { often: bash('true', { schedules: [{ cron: '*/5 * * * *' }] }) },
    });
    await paused.post('/schedules/pause', {});
    for (const size of [undefined, { width: 390, height: 844 }]) {
      const page = await browser.open(paused.url, size);
      const card = cardOf(page, 'Next 24 hours');
      await card
        .getByText(/^All schedules have been paused by local since \d\d:\d\d\. They start no runs\.$/)
        .waitFor();
      expect(await card.getByText('at least 16 times a day').count()).toBe(0);
      await expect
        .poll(() => page.evaluate('document.documentElement.scrollWidth - innerWidth'))
        .toBeLessThanOrEqual(0);
    }
  },
);
