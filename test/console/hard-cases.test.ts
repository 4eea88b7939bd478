// Long names and texts, narrow windows and large type, forced colours, and a server that cannot be reached.

import type { Locator, Page } from 'playwright-core';
import { afterAll, expect } from 'vitest';
import { invariant } from '../../src/domain/problem.ts';
import { startServing } from '../server/serving.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { aBrowser, settled } from './a-browser.ts';

const longId = `long/${'release-of-the-shop-'.repeat(9)}end`;
const server = await startServing({
  executes: true,
  jobs: {
    [longId]: bash('true', { description: 'Releases the shop. '.repeat(60) }),
    'ops/nightly': bash('true', { schedules: [{ cron: '30 2 * * *', timezone: 'Europe/Berlin' }] }),
    'ops/report-of-the-night': bash('true', { triggers: [{ job: 'ops/idle', on: ['success'] }] }),
    'ops/second-report': bash('true', { triggers: [{ job: 'ops/idle', on: ['failed'] }] }),
    'ops/idle': bash('true'),
  },
});
afterAll(() => server.close());
const browser = aBrowser();

/** A window of 1440 × 900 pixels, at a zoom of 200 %. */
const zoomed = { width: 720, height: 450 };

async function ran(body: object): Promise<string> {
  return JSON.parse(await (await server.post('/runs', { async: false, ...body })).text()).run_id;
}

type Box = NonNullable<Awaited<ReturnType<Locator['boundingBox']>>>;

/** Returns the boxes of these elements once all of them have been drawn. */
async function boxesOf<Of extends readonly Locator[]>(page: Page, ...of: Of): Promise<{ [At in keyof Of]: Box }> {
  for (const each of of) await each.first().waitFor();
  const boxes = await settled(page, () => Promise.all(of.map((each) => each.first().boundingBox())));
  return boxes.map((box) => {
    invariant(box !== null, 'is not to be seen');
    return box;
  }) as { [At in keyof Of]: Box };
}

async function overflowOf(page: Page): Promise<unknown> {
  return page.evaluate('document.documentElement.scrollWidth - innerWidth');
}

testWith(headlessChromium)('a long name leaves room for the time and the id of a run on their line', async () => {
  const id = await ran({ job_id: longId });
  const page = await browser.open(`${server.url}/runs/${id}`, { width: 1_440 });
  const title = page.getByRole('heading', { level: 1 });
  const [heading, time, copy, shown] = await boxesOf(
    page,
    title,
    title.getByRole('time'),
    page.getByRole('button', { name: 'Copy the id' }),
    page.getByTitle(id, { exact: true }),
  );
  expect(time.x + time.width).toBeLessThanOrEqual(heading.x + heading.width + 1);
  expect(shown.height).toBeLessThanOrEqual(copy.height);
});

testWith(headlessChromium)(
  'many labels and a long description are folded, and the focus stays on the button that unfolds them',
  async () => {
    const labels = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`label-${n}`, 'on']));
    const id = await ran({ job_id: 'ops/nightly', labels });
    const page = await browser.open(`${server.url}/runs/${id}`);
    const shown = page.getByTitle('Label', { exact: true });
    await page.getByRole('button', { name: '+14 more labels' }).click();
    await expect.poll(() => shown.count()).toBe(20);
    await page.keyboard.press('Enter');
    await expect.poll(() => shown.count()).toBe(6);

    await page.goto(`${server.url}/jobs/${longId}`);
    const button = page.getByRole('button', { name: 'Show all' });
    const text = page.getByText('Releases the shop.');
    const [folded] = await boxesOf(page, text);
    await button.click();
    await page.getByRole('button', { name: 'Show less', expanded: true }).waitFor();
    const [whole] = await boxesOf(page, text);
    expect(whole.height).toBeGreaterThan(2 * folded.height);
  },
);

testWith(headlessChromium)('at 200 % zoom, headers and tables do not overlap, and names can be read', async () => {
  const page = await browser.open(`${server.url}/schedules`, zoomed);
  const [filter, zone] = [page.getByRole('searchbox'), page.getByText('Times in Europe/Berlin')];
  const [field, named, heading] = await boxesOf(page, filter, zone, page.getByRole('heading', { level: 1 }));
  expect(named.y).toBeGreaterThanOrEqual(field.y + field.height);
  expect(heading.width).toBeGreaterThan(60);
  await page.goto(`${server.url}/jobs`);
  const cell = page.getByRole('row').filter({ hasText: 'ops/report-of-the-night' }).getByRole('cell').nth(1);
  await expect.poll(async () => (await cell.boundingBox())?.width).toBeGreaterThanOrEqual(200);
  await page.goto(`${server.url}/admin/audit`);
  await page.getByRole('row').nth(1).waitFor();
  const head = (name: string) => page.getByRole('columnheader', { name });
  const [object, result] = await boxesOf(page, head('Object'), head('Result'));
  expect(object.width).toBeGreaterThan(60);
  expect(object.x + object.width).toBeLessThanOrEqual(result.x + 1);
  expect(await overflowOf(page)).toBeLessThanOrEqual(0);
});

testWith(headlessChromium)('on a phone, the row of a trigger has room for the trigger’s last result', async () => {
  const page = await browser.open(`${server.url}/admin/triggers`, { width: 390, height: 844 });
  const rows = page.getByRole('row').filter({ hasText: 'ops/idle' });
  await expect.poll(() => rows.count()).toBe(2);
  const [row, last] = await boxesOf(page, rows, rows.first().getByText('nothing yet'));
  expect(last.y + last.height).toBeLessThanOrEqual(row.y + row.height);
});

testWith(headlessChromium)('with forced colours, bars are visible and the current page is marked', async () => {
  await ran({ job_id: 'ops/nightly' });
  const page = await browser.open(`${server.url}/jobs/ops/nightly?tab=statistics`);
  await page.emulateMedia({ forcedColors: 'active' });
  const styleOf = (selector: string, name: string) =>
    page.evaluate(`getComputedStyle(document.querySelector('${selector}')).getPropertyValue('${name}')`);
  await page.getByRole('region', { name: 'Slowest steps' }).getByRole('rowheader').waitFor();
  expect(await styleOf('td [aria-hidden] > span', 'forced-color-adjust')).toBe('none');
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Jobs' }).waitFor();
  expect(await styleOf('nav[aria-label=Pages] [aria-current]', 'outline-style')).toBe('dashed');
});

testWith(headlessChromium)(
  'if a page cannot reach the server, the console checks the server’s health again',
  async () => {
    const page = await browser.open(`${server.url}/jobs`);
    // Nothing is read again just because time has passed.
    await page.addInitScript('window.setInterval = () => 0');
    await page.reload();
    await page.route('**/api/v1/schedules*', (route) => route.abort());
    await page.getByRole('status').filter({ hasText: 'healthy' }).waitFor();
    const asked = page.waitForRequest(/\/api\/v1\/health$/);
    await page.getByRole('link', { name: 'Schedules' }).first().click();
    await page.getByRole('alert').filter({ hasText: 'No server can be reached' }).waitFor();
    await asked;
  },
);
