// Pages stay up to date: over connections that break or hang, in many windows, and with a wrong clock.

import type { Locator, Page } from 'playwright-core';
import { describe, expect } from 'vitest';
import { startServing } from '../server/serving.ts';
import { openWire } from '../support/a-wire.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { testWith } from '../support/host.ts';
import { openStreamGate } from '../support/stream-gate.ts';
import { aBrowser } from './a-browser.ts';

const hourMs = 3_600_000;
const browser = aBrowser();
const rowsOf = (page: Page, checkbox: string | RegExp = /^Select run_/) =>
  page
    .getByRole('table', { name: 'Runs' })
    .getByRole('row')
    .filter({ has: page.getByRole('checkbox', { name: checkbox }) });

/** Acts as if the user switched to another tab, or back to this one. */
async function setVisible(page: Page, isVisible: boolean): Promise<void> {
  await page.evaluate(`Object.defineProperty(document, 'visibilityState', {
    configurable: true,
    value: '${isVisible ? 'visible' : 'hidden'}',
  }); document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))`);
}

/** Scrolls to the end of the list until this element exists. */
async function scrollTo(page: Page, place: Locator): Promise<void> {
  await page.mouse.move(600, 500);
  await expect
    .poll(async () => {
      await page.mouse.wheel(0, 1_000_000);
      return place.count();
    })
    .toBe(1);
}

describe('a list of runs', () => {
  testWith(headlessChromium)('continues after the server has deleted the events that the list missed', async () => {
    await using quiet = await startServing({ retention: { eventsMs: hourMs }, nowMs: Date.now() + 2 * hourMs });
    const run = await quiet.addRun();
    await using wire = await openWire(quiet.url);
    const page = await browser.open(`${wire.url}/runs`, { mayFail: true });
    await rowsOf(page).getByText('pending').waitFor();
    await run.move('claim');
    await rowsOf(page).getByText('running').waitFor();
    wire.cut();
    await page.getByRole('status').filter({ hasText: 'unreachable' }).waitFor();
    await run.finish();
    await quiet.post('/system/gc', '');
    await quiet.addRun();
    wire.fix();
    await expect.poll(() => rowsOf(page).count()).toBe(2);
    await quiet.addRun();
    await expect.poll(() => rowsOf(page).count()).toBe(3);
  });

  testWith(headlessChromium)('reports a connection that hangs, and continues after it', async () => {
    await using quiet = await startServing();
    await quiet.addRun();
    await using wire = await openWire(quiet.url);
    const page = await browser.open(`${wire.url}/runs`, { mayFail: true, clockMs: Date.now() });
    await expect.poll(() => rowsOf(page).count()).toBe(1);
    await page
      .getByRole('status')
      .filter({ hasText: /healthy|degraded/ })
      .waitFor();
    wire.hang();
    await page.clock.fastForward(16_000);
    await page.getByRole('status').filter({ hasText: 'unreachable' }).waitFor();
    await quiet.addRun();
    wire.fix();
    await page.clock.fastForward(46_000);
    await expect.poll(() => rowsOf(page).count()).toBe(2);
    await quiet.addRun();
    await expect.poll(() => rowsOf(page).count()).toBe(3);
  });

  testWith(headlessChromium)('shows changes that happened far down in the list while the tab was hidden', async () => {
    await using many = await startServing();
    const first = await many.addRun();
    await first.move('claim');
    await Promise.all(Array.from({ length: 130 }, () => many.addRun()));
    const page = await browser.open(`${many.url}/runs`);
    const row = rowsOf(page, `Select ${first.id}`);
    await page.getByText('131 runs').waitFor();
    await scrollTo(page, row.getByText('Running'));
    await setVisible(page, false);
    await first.finish();
    await setVisible(page, true);
    await row.getByText('success').waitFor();
    await page.getByText('131 runs').waitFor();
  });

  testWith(headlessChromium)('keeps older runs that arrive while the list is read again', async () => {
    await using many = await startServing();
    const first = await many.addRun();
    await Promise.all(Array.from({ length: 130 }, () => many.addRun()));
    const page = await browser.open(`${many.url}/runs`);
    await page.getByText('131 runs').waitFor();
    await setVisible(page, false);
    const [asked, mayAnswer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await page.route('**/api/v1/runs?*&limit=100', async (route) => {
      asked.resolve();
      await mayAnswer.promise;
      await route.continue();
    });
    await setVisible(page, true);
    await asked.promise;
    const row = page.locator(`a[href="/runs/${first.id}"]`);
    await scrollTo(page, row);
    await page.evaluate(`document.querySelector('a[href="/runs/${first.id}"]').dataset.drawn = 'once'`);
    const again = page.waitForResponse(/&limit=100$/);
    mayAnswer.resolve();
    await (await again).finished();
    await page.evaluate('new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn, 100)))');
    await expect.poll(() => row.getAttribute('data-drawn')).toBe('once');
  });

  testWith(headlessChromium)('can be selected as a whole and cancelled after a confirmation', async () => {
    await using quiet = await startServing();
    await quiet.addRun();
    await quiet.addRun();
    const page = await browser.open(`${quiet.url}/runs`);
    await page.getByRole('checkbox', { name: 'Select all' }).check();
    await page.getByRole('button', { name: 'Cancel 2 runs' }).click();
    const asked = page.getByRole('dialog', { name: 'Cancel 2 runs?' });
    await asked.getByRole('button', { name: 'Keep running' }).click();
    await expect.poll(() => rowsOf(page).getByText('pending').count()).toBe(2);
    await page.getByRole('button', { name: 'Cancel 2 runs' }).click();
    const { id } = await quiet.addRun();
    const chosen = Promise.withResolvers<void>();
    await page.route('**/cancel', async (route) => {
      await chosen.promise;
      await route.continue();
    });
    await asked.getByRole('button', { name: 'Cancel the runs' }).click();
    await page.getByRole('checkbox', { name: `Select ${id}` }).check();
    chosen.resolve();
    await page.getByText('Cancelled: 2 of 2.').waitFor();
    await expect.poll(() => rowsOf(page).getByText('cancelled').count()).toBe(2);
    await expect.poll(() => page.getByRole('checkbox', { checked: true, name: /^Select run_/ }).count()).toBe(1);
    await expect.poll(() => page.getByRole('checkbox', { name: `Select ${id}` }).isChecked()).toBe(true);
  });

  testWith(headlessChromium)('reports no error about a filter that is still being typed', async () => {
    await using quiet = await startServing();
    await quiet.addRun();
    const page = await browser.open(`${quiet.url}/runs`, { clockMs: Date.now() });
    await expect.poll(() => rowsOf(page).count()).toBe(1);
    await page.clock.pauseAt(Date.now() + 60_000);
    await page.getByRole('combobox', { name: 'Filter runs' }).pressSequentially('status:fail');
    await page.clock.runFor(1_000);
    // The jump of the clock may have aborted a request in progress, which is a different error.
    const error = page.getByRole('alert').filter({ hasText: "There is no status 'fail'" });
    expect(await error.count()).toBe(0);
    await page.keyboard.press('Enter');
    await error.waitFor();
  });
});

describe('many windows', () => {
  testWith(headlessChromium)('are all updated live, without waiting for each other', async () => {
    await using quiet = await startServing();
    const run = await quiet.addRun();
    await run.move('claim');
    await run.print('begun');
    const first = await browser.open(`${quiet.url}/runs/${run.id}`);
    const windows = [first];
    for (let n = 0; n < 5; n++) {
      const page = await first.context().newPage();
      page.setDefaultTimeout(60_000);
      await page.goto(first.url());
      windows.push(page);
    }
    for (const page of windows) await page.getByRole('log').getByText('begun').waitFor();
    await run.print('more');
    await run.finish();
    for (const page of windows) {
      await page.getByText(/Succeeded in/).waitFor();
      await page.getByRole('log').getByText('more').waitFor();
    }
  });
});

describe('a wrong clock in the browser', () => {
  testWith(headlessChromium)('does not put times into the future', async () => {
    await using quiet = await startServing();
    const run = await quiet.addRun();
    await run.move('claim');
    const page = await browser.open(`${quiet.url}/runs/${run.id}`, { clockMs: Date.now() - 300_000 });
    await page.getByText(/Running for [1-9]/).waitFor();
    await page.getByText(/^local /).waitFor();
  });
});

testWith(headlessChromium)('an error that several parts of a page share is shown once', async () => {
  await using quiet = await startServing();
  await using wire = await openWire(quiet.url);
  const page = await browser.open(`${wire.url}/admin/doctor`, { mayFail: true, clockMs: Date.now() });
  await page.getByText('seccomp').waitFor();
  await page.evaluate(`
    let most = 0;
    const count = () => (document.body.dataset.most = most = Math.max(most, document.querySelectorAll('[role=alert]').length));
    new MutationObserver(count).observe(document.body, { childList: true, subtree: true });
  `);
  wire.cut();
  await expect.poll(() => page.getByRole('alert').allTextContents()).toHaveLength(1);
  await page.getByRole('status').filter({ hasText: 'unreachable' }).waitFor();
  // Wait until each part of the page that polls has polled again.
  const asked = new Set<string>();
  page.on('requestfailed', (request) => asked.add(new URL(request.url()).pathname));
  await page.clock.fastForward(31_000);
  await expect
    .poll(() => ['/health', '/info'].filter((end) => [...asked].some((path) => path.endsWith(end))))
    .toHaveLength(2);
  await expect.poll(() => page.getByRole('button', { name: 'Try again' }).count()).toBe(1);
  // There were never two alerts, not even for a moment.
  expect(await page.evaluate('document.body.dataset.most')).toBe('1');
  wire.fix();
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect.poll(() => page.getByRole('alert').count()).toBe(0);
});

testWith(headlessChromium)(
  'a run is still followed after the server closes its streams, even before the run prints anything',
  async () => {
    await using quiet = await startServing();
    const gate = await openStreamGate(quiet.url);
    const run = await quiet.addRun();
    await run.move('claim');
    const page = await browser.open(`${gate.url}/runs/${run.id}`, { mayFail: true });
    // The three streams are the log, the events of the run, and the events of all runs for the sidebar.
    await expect.poll(gate.open).toBe(3);
    gate.endStreams();
    await run.print('late');
    await page.getByRole('log', { name: 'Log' }).getByText('late').waitFor();
    await run.finish();
    await page.getByText('success').first().waitFor();
  },
);
