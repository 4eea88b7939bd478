// The pages of failures and of logs in the browser.

import { afterAll, expect, test } from 'vitest';
import { startServing } from '../server/serving.ts';
import { aBrowser, choose, goByKey } from './a-browser.ts';

const server = await startServing();
const { url } = server;
const browser = aBrowser();
afterAll(() => server.close());

async function failed(jobId: string, message: string): Promise<string> {
  const run = await server.addRun({ jobId });
  await run.move('claim');
  await run.move('fail', { reason: 'exit', exitCode: 1, error: { message } });
  return run.id;
}

async function succeeded(jobId: string, ...lines: readonly string[]): Promise<string> {
  const run = await server.addRun({ jobId });
  await run.move('claim');
  await run.print(...lines);
  await run.finish();
  return run.id;
}

test('failures are listed by the message of the program until the job succeeds', async () => {
  const first = await failed('etl/load', 'exited with code 1: row 17 is broken');
  const last = await failed('etl/load', 'exited with code 1: row 99 is broken');
  await failed('report', 'exited with code 2: <b>no</b> disk');
  const page = await browser.open(`${url}/runs`);
  await page.getByRole('heading', { level: 1, name: 'Runs' }).waitFor();
  await goByKey(page, 'f', '/failures');
  const row = page.getByRole('row').filter({ hasText: 'etl/load' });
  await row.getByText('row 99 is broken').waitFor();
  await expect.poll(() => row.getByRole('cell').allTextContents()).toContain('2');
  await expect.poll(() => page.getByText('<b>no</b> disk').count()).toBe(1);
  const links = row.getByRole('link');
  expect(await Promise.all((await links.all()).map((link) => link.getAttribute('href')))).toEqual([
    '/jobs/etl/load',
    `/runs/${first}`,
    expect.stringMatching(/^\/jobs\/etl\/load\?tab=code&revision=/),
    `/runs/${last}`,
  ]);

  // The row disappears while the page is open.
  await succeeded('etl/load', 'fine');
  await expect.poll(() => row.count()).toBe(0);
  await page.getByRole('button', { name: 'All' }).click();
  await row.getByText('fixed').waitFor();
  await succeeded('report', 'fine');
  await page.getByRole('button', { name: 'Not fixed' }).click();
  await page.getByText('Every job that failed has succeeded since.').waitFor();
});

test('the page of failures says if no run has ever failed', async () => {
  await using fresh = await startServing();
  const page = await browser.open(`${fresh.url}/runs`);
  const held = Promise.withResolvers<void>();
  const asked = page.waitForRequest(/\/failures\?limit=1$/);
  await page.route(/\/failures\?limit=1$/, async (route) => {
    await held.promise;
    await route.continue();
  });
  await goByKey(page, 'f', '/failures');
  await asked;
  // Until the page knows which sentence is true, it shows neither.
  const words = page.getByText(/^(No run has|Every job that) failed/);
  expect(await words.all()).toEqual([]);
  held.resolve();
  await words.waitFor();
  expect(await words.textContent()).toBe('No run has failed.');
});

test('a failure shows its state, also on a phone', async () => {
  await failed('ping', 'exited with code 1: no answer');
  const page = await browser.open(`${url}/failures?view=all`, { width: 390, height: 844 });
  const link = page.getByRole('link', { name: /^ping/ });
  await expect.poll(() => link.textContent()).toMatch(/^pingopen1 time, /);
  await succeeded('ping', 'fine');
  await expect.poll(() => link.textContent()).toMatch(/^pingfixed1 time, /);
});

test('the sidebar counts the failures that are not fixed', async () => {
  const page = await browser.open(`${url}/jobs`);
  const link = page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: /^Failures/ });
  const count = () => link.textContent();
  await expect.poll(count).toBe('Failures');
  await failed('dns/sync', 'exited with code 1: no zone');
  await failed('dns/sync', 'exited with code 1: no zone');
  await failed('dns/check', 'exited with code 1: no answer');
  await expect.poll(count).toBe('Failures2 not fixed');
  await succeeded('dns/sync', 'fine');
  await expect.poll(count).toBe('Failures1 not fixed');
});

test('lines of all runs can be searched by keyboard, and lead to their place in the log', async () => {
  const id = await succeeded('backup/daily', 'begins', 'the Needle <i>one</i>', '\x1eeneedle two');
  const page = await browser.open(`${url}/runs`);
  await page.getByRole('heading', { level: 1, name: 'Runs' }).waitFor();
  await goByKey(page, 'l', '/logs');
  await page.getByText('Search the logs of all runs for a text.').waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('NEEDLE');
  await page.keyboard.press('Enter');
  const lines = page.getByRole('list', { name: 'Lines' }).getByRole('listitem');
  await expect.poll(() => lines.locator('code').allTextContents()).toEqual(['needle two', 'the Needle <i>one</i>']);
  await expect.poll(() => lines.locator('mark').allTextContents()).toEqual(['needle', 'Needle']);
  await page.getByText(/^2 lines in .+ of logs; the search is complete$/).waitFor();

  await choose(page, 'Level', 'error or worse');
  await expect.poll(() => lines.count()).toBe(1);
  expect(new URL(page.url()).search).toBe('?q=NEEDLE&level=error');
  await page.reload();
  await expect.poll(() => lines.count()).toBe(1);
  await lines.getByRole('link').click();
  await page.getByRole('log').getByText('needle two').waitFor();
  expect(page.url()).toBe(`${url}/runs/${id}/log?line=3`);
});

test('a search that finds nothing says so, or says that there are no logs', async () => {
  await using empty = await startServing();
  await (await browser.open(`${empty.url}/logs?q=needle`))
    .getByText('There are no logs to search.', { exact: true })
    .waitFor();
  await succeeded('disk/check', 'all sectors are fine');
  const page = await browser.open(`${url}/logs?q=no%20such%20words`);
  await page.getByText(/^Nothing matches in \S+ \S+ of logs\.$/).waitFor();
});

test('a click anywhere on a row opens it, and a click with Ctrl or the middle button opens it in a new tab', async () => {
  const broken = await failed('disk/check', 'exited with code 1: sector 8 is bad');
  const daily = await succeeded('tape/daily', 'the spool is full');
  const page = await browser.open(`${url}/runs`);
  const row = page.getByRole('row').filter({ hasText: 'tape/daily' });
  const [box, started] = [row.getByRole('checkbox'), row.getByRole('cell').nth(5)];
  await started.click();
  await page.waitForURL(`${url}/runs/${daily}`);
  await page.goBack();

  for (const how of [{ modifiers: ['ControlOrMeta' as const] }, { button: 'middle' as const }]) {
    const opened = page.context().waitForEvent('page');
    await started.click(how);
    const tab = await opened;
    await tab.waitForURL(`${url}/runs/${daily}`);
    await tab.close();
  }
  await box.click();
  await expect.poll(() => box.isChecked()).toBe(true);
  const place = await started.locator('time').boundingBox();
  if (!place) throw new Error('the time is not to be seen');
  await page.mouse.move(place.x + 1, place.y + place.height / 2);
  await page.mouse.down();
  await page.mouse.move(place.x + place.width - 1, place.y + place.height / 2);
  await page.mouse.up();
  await expect.poll(() => page.evaluate('String(getSelection())')).toMatch(/\d/);
  expect(page.url()).toBe(`${url}/runs`);

  await page.goto(`${url}/failures`);
  await page.getByText('sector 8 is bad').click();
  await page.waitForURL(`${url}/runs/${broken}`);
  await page.goto(`${url}/logs?q=spool`);
  await page.getByRole('list', { name: 'Lines' }).getByText('is full').click();
  await page.waitForURL(`${url}/runs/${daily}/log?line=1`);
});
