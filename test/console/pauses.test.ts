// Pausing and resuming all schedules on their page.

import { afterAll, expect } from 'vitest';
import { startServing } from '../server/serving.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { aBrowser } from './a-browser.ts';
import { errorsInBothThemes } from './accessibility-errors.ts';

const jobs = {
  'ops/held': bash('true', { schedules: [{ cron: '0 4 * * *', held: true }] }),
  'ops/nightly': bash('true', { schedules: [{ cron: '30 2 * * *' }] }),
};
const server = await startServing({ jobs });
afterAll(() => server.close());
const browser = aBrowser();
const paused = async (): Promise<unknown> => (await server.fetch('/schedules')).json();

testWith(headlessChromium)(
  'all schedules can be paused and resumed by keyboard, and the page says who paused them',
  async () => {
    const page = await browser.open(`${server.url}/schedules`, { width: 1_440 });
    const pause = page.getByRole('button', { name: 'Pause all' });
    const resume = page.getByRole('button', { name: 'Resume all' });
    const banner = page.getByRole('region', { name: 'Paused schedules' });
    await pause.press('Enter');
    const asked = page.getByRole('dialog', { name: 'Pause all schedules?' });
    await asked.getByText('The 2 schedules start no runs until they are resumed.').waitFor();
    expect(await errorsInBothThemes(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await asked.waitFor({ state: 'detached' });
    await expect.poll(paused).toMatchObject({ pauses: [] });

    await pause.press('Enter');
    await asked.getByRole('button', { name: 'Pause all schedules' }).press('Enter');
    await banner
      .getByText(/^All schedules have been paused by local since \d\d:\d\d\. They start no runs\.$/)
      .waitFor();
    await expect.poll(paused).toMatchObject({ pauses: [{ tenant: '*', by: 'local' }] });
    await page
      .getByRole('row', { name: /ops\/nightly/ })
      .getByText('Paused')
      .waitFor();
    // The button that was pressed has been replaced by this one.
    await resume.and(page.locator(':focus')).waitFor();
    expect(await pause.count()).toBe(0);
    expect(await errorsInBothThemes(page)).toEqual([]);

    await page.keyboard.press('Enter');
    const resuming = page.getByRole('dialog', { name: 'Resume all schedules?' });
    await resuming.getByText(/1 schedule stays held\.$/).waitFor();
    await resuming.getByRole('button', { name: 'Resume them' }).press('Enter');
    await banner.waitFor({ state: 'detached' });
    await pause.and(page.locator(':focus')).waitFor();
    await expect.poll(paused).toMatchObject({ pauses: [] });
  },
);

testWith(headlessChromium)('schedules can be paused and resumed on a phone', async () => {
  const page = await browser.open(`${server.url}/schedules`, { width: 390, height: 844 });
  const fits = async () => page.evaluate('document.documentElement.scrollWidth - innerWidth');
  await page.getByRole('button', { name: 'Pause all' }).click();
  await expect.poll(fits).toBeLessThanOrEqual(0);
  await page.getByRole('button', { name: 'Pause all schedules' }).click();
  await page.getByRole('button', { name: 'Resume all' }).click();
  await expect.poll(fits).toBeLessThanOrEqual(0);
  await page.getByRole('button', { name: 'Resume them' }).click();
  await page.getByRole('button', { name: 'Pause all' }).waitFor();
});

testWith(headlessChromium)('a caller who may not resume schedules sees who paused them, without a button', async () => {
  await server.post('/schedules/pause', {});
  const { credential } = await server.token({
    scopes: ['jobs:read', 'runs:read', 'schedules:write'],
    tenant: 'default',
  });
  const page = await browser.open(server.url);
  await page.evaluate(`sessionStorage.setItem('flwd.token', ${JSON.stringify(credential)})`);
  await page.goto(`${server.url}/schedules`);
  const banner = page.getByRole('region', { name: 'Paused schedules' });
  await banner.getByText(/^All schedules have been paused since/).waitFor();
  expect(await page.getByRole('button', { name: /Pause all|Resume all/ }).count()).toBe(0);
  await server.post('/schedules/resume', {});

  await using operated = await startServing({ jobs, arePaused: true });
  const other = await browser.open(`${operated.url}/schedules`);
  await other.getByText('All schedules are paused by scheduler.schedules_paused in flwd.yaml.').waitFor();
  expect(await other.getByRole('button', { name: /Pause all|Resume all/ }).count()).toBe(0);
});

testWith(headlessChromium)('if the server cannot pause the schedules, the page says why', async () => {
  const page = await browser.open(`${server.url}/schedules`);
  await page.route('**/api/v1/schedules/pause', (route) => route.abort());
  await page.getByRole('button', { name: 'Pause all' }).click();
  await page.getByRole('button', { name: 'Pause all schedules' }).click();
  await page.getByRole('alert').waitFor();
  await page.getByRole('button', { name: 'Pause all' }).waitFor();
});

testWith(headlessChromium)('a page with a single schedule uses the singular', async () => {
  await using one = await startServing({ jobs: { 'ops/nightly': jobs['ops/nightly'] } });
  const page = await browser.open(`${one.url}/schedules`);
  await page.getByRole('button', { name: 'Pause all' }).click();
  await page.getByText('The schedule starts no runs until it is resumed.').waitFor();
});
