// Long lists: runs, and the steps of one run.

import { afterAll, expect } from 'vitest';
import { startServing } from '../server/serving.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { aBrowser, settled } from './a-browser.ts';

const server = await startServing({
  executes: true,
  jobs: {
    'demo/fails': bash('echo no more >&2; exit 3'),
    'demo/ask': { 'config.yaml': JSON.stringify({ steps: [{ id: 'gate', approval: { text: 'Go on?' } }] }) },
    'demo/many': {
      'config.yaml': JSON.stringify({
        steps: [
          ...Array.from({ length: 14 }, (_, n) => ({ id: `before_${n}`, script: './one.sh' })),
          {
            id: 'each',
            script: './each.sh',
            foreach: '["web1", "web2", "web3", "db1", "db2", 6, true, {"host": "db3"}]',
          },
        ],
      }),
      'one.sh': '#!/usr/bin/env bash\ntrue\n',
      'each.sh': '#!/usr/bin/env bash\n[ "$FLWD_ITEM" != db2 ]\n',
    },
  },
});
afterAll(() => server.close());
const browser = aBrowser();

async function finished(jobId: string): Promise<string> {
  const answer = await server.post('/runs', { job_id: jobId, async: false });
  return JSON.parse(await answer.text()).run_id;
}

testWith(headlessChromium)(
  'a run of many steps folds the steps that succeeded, so that the failed step is visible',
  async () => {
    const page = await browser.open(`${server.url}/runs/${await finished('demo/many')}`);
    await page.getByText(/Failed in each/).waitFor();
    const steps = page.getByRole('region', { name: 'Steps', exact: true });
    const rows = steps.getByRole('listitem');
    await expect
      .poll(() => rows.allTextContents())
      .toEqual([
        expect.stringMatching(/14 succeeded/),
        expect.stringMatching(/each.*1 of 8 failed/),
        expect.stringMatching(/db2.*each\.sh:2/),
        expect.stringMatching(/7 others succeeded/),
      ]);
    const failed = await settled(page, () => rows.nth(2).boundingBox());
    expect(failed && failed.y + failed.height).toBeLessThan(900);
    await steps.getByRole('button', { name: 'Unfold 7 others succeeded' }).click();
    await expect.poll(() => rows.count()).toBe(11);
    for (const name of ['web1', '6', 'true', 'item 8']) {
      await steps.getByRole('link', { name, exact: true }).waitFor();
    }
    await page.getByRole('combobox', { name: 'Step' }).click();
    await page.getByRole('option', { name: 'each db1' }).waitFor();
    await page.keyboard.press('Escape');
    await steps.getByRole('button', { name: 'Unfold 14 succeeded' }).click();
    await expect.poll(() => rows.count()).toBe(25);
  },
);

testWith(headlessChromium)(
  'Back restores the scroll position of the list of runs, and a link shows the list from the top',
  async () => {
    await using many = await startServing();
    for (let n = 0; n < 600; n += 100) await Promise.all(Array.from({ length: 100 }, () => many.addRun()));
    const page = await browser.open(`${many.url}/runs`);
    await page.getByText('600 runs').waitFor();
    const scrolled = (): Promise<number> => page.evaluate('scrollY');
    await page.mouse.move(600, 500);
    await expect
      .poll(async () => {
        await page.mouse.wheel(0, 3_000);
        return scrolled();
      })
      .toBeGreaterThan(15_000);
    // The wheel may turn the page after its event.
    await settled(page, scrolled);
    const link = page.locator('[data-row]:visible').nth(-20);
    await link.scrollIntoViewIfNeeded();
    const [path, before] = [await link.getAttribute('href'), await settled(page, scrolled)];
    await link.click();
    await page.getByRole('tab', { name: 'log' }).waitFor();
    await page.goBack();
    await expect.poll(scrolled).toBe(before);
    await expect.poll(() => page.locator(`[href="${path}"]`).isVisible()).toBe(true);
    await page.getByRole('link', { name: 'Admin', exact: true }).click();
    await page.getByRole('heading', { name: 'Sources' }).waitFor();
    await page.getByRole('link', { name: 'Runs', exact: true }).click();
    await page.getByText('600 runs').waitFor();
    expect(await settled(page, scrolled)).toBe(0);
  },
);

testWith(headlessChromium)('after a rerun of several runs the list links to the new ones', async () => {
  const runId = await finished('demo/fails');
  const page = await browser.open(`${server.url}/runs?q=${runId}`);
  await page.getByText('no more', { exact: true }).waitFor();
  await page.getByRole('checkbox', { name: 'Select all' }).check();
  await page.getByRole('button', { name: 'Run again' }).click();
  await page.getByRole('link', { name: 'Show the new runs' }).click();
  const table = page.getByRole('table', { name: 'Runs' });
  await expect.poll(() => table.getByRole('checkbox', { name: /^Select run_/ }).count()).toBe(1);
  await table.getByTitle(/as a rerun/).waitFor();
});
