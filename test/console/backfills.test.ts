// Backfills on the page of schedules: the form, the preview of runs, the progress, and cancelling.

import type { Page } from 'playwright-core';
import { afterAll, expect } from 'vitest';
import { startServing } from '../server/serving.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { aBrowser, resize } from './a-browser.ts';
import { errorsInBothThemes } from './accessibility-errors.ts';

const daily = { cron: '30 2 * * *', timezone: 'Europe/Berlin' };
const server = await startServing({
  executes: true,
  jobs: {
    'ops/nightly': bash('true', { schedules: [daily] }),
    'ops/often': bash('true', { schedules: [{ cron: '* * * * *' }] }),
    'ops/start': bash('true', { schedules: [{ cron: '@reboot' }] }),
    'ops/waits': bash('sleep 300', { schedules: [daily] }),
  },
});
afterAll(() => server.close());
const browser = aBrowser();

type List = { readonly backfills: readonly { readonly id: string }[] };
const read = async <T>(path: string): Promise<T> => JSON.parse(await (await server.fetch(path)).text());
const fits = async (page: Page) => page.evaluate('document.documentElement.scrollWidth - innerWidth');

async function openForm(page: Page, job: string) {
  await page.getByRole('button', { name: `Actions of ${job}` }).press('Enter');
  await page.getByRole('menuitem', { name: 'Backfill…' }).press('Enter');
  const form = page.getByRole('dialog', { name: `Backfill ${job}` });
  await form.getByText('The number of runs appears here.').waitFor();
  return { form, outcome: form.getByRole('region', { name: 'What would start' }) };
}

testWith(headlessChromium)(
  'the form of a backfill lists the runs that it starts, in the zone of the schedule, and works by keyboard',
  async () => {
    const page = await browser.open(`${server.url}/schedules`, { width: 1_440, timezone: 'America/New_York' });
    const { form, outcome } = await openForm(page, 'ops/nightly');
    const start = form.getByRole('button', { name: 'Start the runs' });
    await start.press('Enter');
    await form.getByText('Enter a time.').waitFor();
    await form.getByLabel('From').fill('2026-03-28T02:30');
    await form.getByLabel('Until').fill('2026-03-30T02:30');
    await outcome.getByRole('heading', { name: '2 runs would start' }).waitFor();
    const times = outcome.getByRole('listitem');
    expect(await times.filter({ visible: true }).count()).toBe(0);
    await outcome.getByText('The 2 times').focus();
    await page.keyboard.press('Space');
    // In this night, the clocks are set forward from 02:00 to 03:00.
    await expect.poll(() => times.allTextContents()).toEqual(['Sat 28 Mar 2026, 02:30', 'Sun 29 Mar 2026, 03:00']);
    expect(await errorsInBothThemes(page)).toEqual([]);
    expect(await read<List>('/backfills')).toMatchObject({ backfills: [] });

    await form.getByRole('button', { name: 'Start 2 runs' }).press('Enter');
    await form.waitFor({ state: 'detached' });
    await expect
      .poll(() => read<List>('/backfills'))
      .toMatchObject({
        backfills: [
          { from: '2026-03-28T01:30:00.000Z', until: '2026-03-30T00:30:00.000Z', started: 2, status: 'done' },
        ],
      });
    await page.getByRole('button', { name: 'Show the schedule of ops/nightly' }).press('Enter');
    const panel = page.getByRole('region', { name: 'Backfills' });
    await panel.getByText('28 Mar 02:30 – 30 Mar 02:30').waitFor();
    await panel.getByRole('link', { name: '2 runs' }).press('Enter');
    await page.getByText('2 runs', { exact: true }).waitFor();
  },
);

testWith(headlessChromium)('an error of the server is shown at its field, and no backfill starts', async () => {
  const page = await browser.open(`${server.url}/schedules`, { width: 390, height: 844, timezone: 'UTC' });
  const { form } = await openForm(page, 'ops/often');
  await form.getByLabel('From').fill('2026-03-02T00:00');
  await form.getByLabel('Until').fill('2026-03-01T00:00');
  await form.getByText('From must be before until').waitFor();
  await form.getByLabel('Until').fill('2026-03-03T00:00');
  await form
    .getByText('From is too early: 1440 times come before until, and one backfill may have at most 1000')
    .waitFor();
  await form.getByLabel('From').fill('2026-03-02T23:00');
  await form.getByLabel('Runs at a time').fill('0');
  await form.getByText('Enter a whole number from 1 to 100.').waitFor();
  await form.getByRole('button', { name: 'Start 60 runs' }).click();
  await expect.poll(() => fits(page)).toBeLessThanOrEqual(0);
  await page.keyboard.press('Escape');
  await form.waitFor({ state: 'detached' });
  expect(await read<List>('/backfills?job_id=ops/often')).toMatchObject({ backfills: [] });
  // A schedule that fires when the server starts has no times that a backfill could repeat.
  await page.getByRole('button', { name: 'Actions of ops/start' }).click();
  await page.getByRole('menuitem', { name: 'Run now' }).waitFor();
  expect(await page.getByRole('menuitem', { name: 'Backfill…' }).count()).toBe(0);
});

testWith(headlessChromium)('typing a year digit by digit does not change the rest of the form', async () => {
  const page = await browser.open(`${server.url}/schedules`, { timezone: 'UTC' });
  const { form, outcome } = await openForm(page, 'ops/nightly');
  const from = form.getByLabel('From');
  await form.getByLabel('Until').fill('2026-03-03T00:00');
  await from.fill('2025-03-01T00:00');
  await from.focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  for (const [key, year] of [
    ['2', '0002'],
    ['0', '0020'],
    ['2', '0202'],
  ] as const) {
    await page.keyboard.press(key);
    await expect.poll(() => from.inputValue()).toBe(`${year}-03-01T00:00`);
  }
  await form.getByRole('button', { name: 'Start the runs' }).click();
  await form.getByText('Enter a year from 1900 to 9998.').waitFor();
  await from.focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.type('2026');
  await outcome.getByRole('heading', { name: '2 runs would start' }).waitFor();
});

testWith(headlessChromium)('a backfill starts only the runs that were counted on its button', async () => {
  const page = await browser.open(`${server.url}/schedules`, { timezone: 'UTC' });
  const { form, outcome } = await openForm(page, 'ops/nightly');
  const until = form.getByLabel('Until');
  await form.getByLabel('From').fill('2026-03-01T00:00');
  await until.fill('2026-03-03T00:00');
  await form.getByRole('button', { name: 'Start 2 runs' }).waitFor();
  const answered = Promise.withResolvers<void>();
  await page.route('**/backfills/preview', async (route) => {
    await answered.promise;
    await route.continue();
  });
  await until.fill('2026-03-05T00:00');
  const start = form.getByRole('button', { name: 'Start the runs' });
  await start.and(form.locator(':disabled')).waitFor();
  answered.resolve();
  await form.getByRole('button', { name: 'Start 4 runs' }).and(form.locator(':enabled')).waitFor();

  const { schedules } = await read<{ schedules: readonly { id: string }[] }>('/schedules?job_id=ops/nightly');
  const span = { from: '2026-04-01T00:00:00Z', until: '2026-04-02T00:00:00Z' };
  await server.post(`/schedules/${schedules[0]?.id}/backfills`, span);
  const made = { backfills: [{ from: '2026-04-01T00:00:00.000Z', started: 1, status: 'done' }] };
  await expect.poll(() => read<List>('/backfills?job_id=ops/nightly&limit=1')).toMatchObject(made);
  await until.fill('2026-04-02T00:00');
  await form.getByLabel('From').fill('2026-04-01T00:00');
  await outcome.getByRole('heading', { name: 'No run would start' }).waitFor();
  await start.and(form.locator(':disabled')).waitFor();
});

testWith(headlessChromium)(
  'a backfill under way shows its progress above the schedules, and can be cancelled there',
  async () => {
    const { schedules } = await read<{ schedules: readonly { id: string }[] }>('/schedules?job_id=ops/waits');
    const span = { from: '2026-03-01T00:00:00Z', until: '2026-03-11T00:00:00Z' };
    const page = await browser.open(`${server.url}/schedules`, { width: 1_440 });
    await page.getByRole('row', { name: /ops\/waits/ }).waitFor();
    const list = page.getByRole('region', { name: 'Backfills' });
    expect(await list.count()).toBe(0);
    await server.post(`/schedules/${schedules[0]?.id}/backfills`, { ...span, at_once: 3 });
    await page.reload();
    await list.getByRole('link', { name: '3 of 10 runs started' }).waitFor();
    expect(await list.getByRole('progressbar').getAttribute('value')).toBe('3');
    expect(await errorsInBothThemes(page)).toEqual([]);
    await resize(page, 390, 844);
    await expect.poll(() => fits(page)).toBeLessThanOrEqual(0);
    await server.post('/schedules/pause', {});
    await list.getByRole('link', { name: 'Paused, 3 of 10 runs started' }).waitFor();
    await server.post('/schedules/resume', {});

    const cancel = list.getByRole('button', { name: 'Cancel the backfill of ops/waits' });
    await cancel.press('Enter');
    const asked = page.getByRole('dialog', { name: 'Cancel this backfill?' });
    await asked.getByText('The 3 runs that it has started continue.').waitFor();
    await asked.getByRole('button', { name: 'Cancel the backfill' }).press('Enter');
    await list.waitFor({ state: 'detached' });
    expect(await read<List>('/backfills?job_id=ops/waits')).toMatchObject({ backfills: [{ status: 'cancelled' }] });
    await resize(page, 1_440, 900);
    await page.goto(`${server.url}/schedules?schedule=${schedules[0]?.id}`);
    await list.getByText('Cancelled, 3 of 10 runs started').waitFor();
  },
);

testWith(headlessChromium)('a caller who may not backfill sees the progress but no buttons', async () => {
  const { schedules } = await read<{ schedules: readonly { id: string }[] }>('/schedules?job_id=ops/waits');
  await server.post('/schedules/pause', {});
  await server.post(`/schedules/${schedules[0]?.id}/backfills`, { from: '2026-02-01T00:00:00Z' });
  const { credential } = await server.token({ scopes: ['jobs:read', 'runs:write'] });
  const page = await browser.open(server.url);
  await page.evaluate(`sessionStorage.setItem('flwd.token', ${JSON.stringify(credential)})`);
  await page.goto(`${server.url}/schedules`);
  await page
    .getByRole('region', { name: 'Backfills' })
    .getByText(/^Paused, 0 of/)
    .waitFor();
  await page.getByRole('button', { name: 'Actions of ops/nightly' }).click();
  await page.getByRole('menuitem', { name: 'Run now' }).waitFor();
  expect(await page.getByRole('menuitem', { name: 'Backfill…' }).count()).toBe(0);
  expect(await page.getByRole('button', { name: /^Cancel the backfill/ }).count()).toBe(0);
});

testWith(headlessChromium)(
  'the time range of a backfill under way is shown in the zone that the page names',
  async () => {
    await using server = await startServing({ jobs: { 'ops/nightly': bash('true', { schedules: [daily] }) } });
    const answer = await server.fetch('/schedules');
    const { schedules }: { schedules: readonly { id: string }[] } = JSON.parse(await answer.text());
    await server.post('/schedules/pause', {});
    const span = { from: '2026-03-01T23:00:00Z', until: '2026-03-04T23:00:00Z' };
    await server.post(`/schedules/${schedules[0]?.id}/backfills`, span);
    const page = await browser.open(`${server.url}/schedules`, { width: 1_440, timezone: 'America/New_York' });
    await page.getByText('Times in Europe/Berlin').waitFor();
    const list = page.getByRole('region', { name: 'Backfills' });
    await list.getByText(/^2 Mar( 2026)? 00:00 – 5 Mar( 2026)? 00:00$/).waitFor();
    await page.getByRole('button', { name: 'Week' }).click();
    await page.getByRole('region', { name: 'Week' }).waitFor();
    await list.getByText(/^2 Mar( 2026)? 00:00 – 5 Mar( 2026)? 00:00$/).waitFor();
  },
);
