// Actions on runs and their feedback: cancelling, killing, approving, and the report of what happened.

import type { Page } from 'playwright-core';
import { afterAll, describe, expect } from 'vitest';
import { startServing } from '../server/serving.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { aBrowser } from './a-browser.ts';

const stubborn = '#!/usr/bin/env bash\ntrap "echo not yet" TERM\necho begun\nwhile :; do sleep 0.05 || :; done\n';

const server = await startServing({
  executes: true,
  jobs: {
    'demo/stubborn': {
      'config.yaml': JSON.stringify({
        cancel: { grace: '10m' },
        steps: [
          { id: 'left', script: './a.sh' },
          { id: 'right', script: './a.sh' },
        ],
      }),
      'a.sh': stubborn,
    },
    'demo/told': {
      'config.yaml': JSON.stringify({
        steps: [
          { id: 'ask', approval: { text: 'Shall it go on?' } },
          { id: 'go', script: './go.sh', needs: ['ask'] },
          { id: 'after', script: './go.sh', needs: ['go'] },
        ],
      }),
      'go.sh': '#!/usr/bin/env bash\nflwd_output colour green\nsleep 1.2\n[ "$FLWD_STEP_ID" != after ] || exit 3\n',
    },
    'demo/fails': {
      'config.yaml': JSON.stringify({
        steps: [
          { id: 'fetch', script: './a.sh' },
          { id: 'ship', script: './a.sh', needs: ['fetch'] },
        ],
      }),
      'a.sh': '#!/usr/bin/env bash\necho the disk is full >&2\nexit 3\n',
    },
    'demo/held': bash('sleep 600'),
  },
});
afterAll(() => server.close());
const browser = aBrowser();

async function started(jobId: string, body: object = {}): Promise<string> {
  const answer = await server.post('/runs', { job_id: jobId, ...body });
  return JSON.parse(await answer.text()).run_id;
}

const steps = (page: Page) => page.getByRole('region', { name: 'Steps', exact: true }).getByRole('listitem');
const focused = (page: Page): Promise<string> =>
  page.evaluate(
    '((at) => `${at.nodeName} ${at.getAttribute("aria-label") ?? at.textContent}`)(document.activeElement)',
  );

testWith(headlessChromium)(
  'a cancel is reported signal by signal, and a user who does not want to wait can kill the run',
  async () => {
    const page = await browser.open(`${server.url}/runs/${await started('demo/stubborn')}`);
    await expect.poll(() => page.getByRole('log').getByText('begun').count()).toBe(2);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'Cancel the run' }).click();
    const ladder = page.getByRole('list', { name: 'Cancel' });
    await expect.poll(() => ladder.textContent()).toMatch(/left: sent SIGTERM to \d/);
    await expect.poll(() => ladder.textContent()).toMatch(/right: sent SIGTERM to \d/);
    await expect.poll(() => focused(page)).toBe('OL Cancel');
    await page.getByRole('button', { name: 'Kill now' }).click();
    await page.getByText(/Cancelled by local after/).waitFor();
    await expect
      .poll(() => ladder.textContent())
      .toMatch(/^(?=.*left: sent SIGKILL)(?=.*right: sent SIGKILL).*no process is left$/);
    await expect.poll(() => focused(page)).toBe('OL Cancel');
  },
);

testWith(headlessChromium)('cancelling several runs does not wait for their grace periods', async () => {
  const runIds = await Promise.all([started('demo/stubborn'), started('demo/stubborn')]);
  // Once both steps of a run have printed this, they ignore SIGTERM.
  const begun = async (id: string) => (await (await server.fetch(`/runs/${id}/logs`)).text()).match(/begun/g) ?? [];
  for (const id of runIds) await expect.poll(() => begun(id)).toHaveLength(2);
  const page = await browser.open(`${server.url}/runs?q=job%3Ademo%2Fstubborn%20status%3Arunning`);
  const rows = page.getByRole('checkbox', { name: /^Select run_/ });
  await expect.poll(() => rows.count()).toBe(2);
  await page.getByRole('checkbox', { name: 'Select all' }).check();
  await page.getByRole('button', { name: 'Cancel 2 runs' }).click();
  await page.getByRole('button', { name: 'Cancel the runs' }).click();
  await page.getByText('Cancelled: 2 of 2.').waitFor();
  await expect.poll(() => rows.count()).toBe(2);
  await Promise.all(runIds.map((id) => server.post(`/runs/${id}/cancel?force=true`, '')));
  await page.getByText('No runs match.').waitFor();
});

describe('a run', () => {
  testWith(headlessChromium)(
    'says who approved it, which outputs its steps gave, and when it ran, with the time zone',
    async () => {
      const runId = await started('demo/told');
      const page = await browser.open(`${server.url}/runs/${runId}`);
      await page.getByRole('textbox', { name: 'Reason' }).fill('looks right');
      await page.getByRole('button', { name: 'Approve' }).click();
      await page
        .getByText(/Failed in after/)
        .or(page.getByText(/Succeeded in/))
        .first()
        .waitFor();
      await steps(page).filter({ hasText: 'ask' }).getByText('approved by local: “looks right”').waitFor();
      await page.getByText('local through the API').waitFor();
      await page.getByRole('tab', { name: 'details' }).click();
      const outputs = page.getByRole('region', { name: 'Step outputs' });
      await expect
        .poll(() => outputs.getByRole('cell').allTextContents())
        .toEqual(expect.arrayContaining(['go', 'colour', 'green']));
      const ended = page.getByRole('definition').filter({ hasText: /\d:\d\d:\d\d (?:UTC|GMT)/ });
      await expect.poll(() => ended.count()).toBe(3);
    },
  );

  testWith(headlessChromium)('announces nothing to screen readers while only the duration changes', async () => {
    const page = await browser.open(`${server.url}/runs/${await started('demo/held')}`);
    const live = page.getByRole('status').filter({ hasText: 'Running' });
    const told = live.locator('..');
    await expect.poll(() => told.textContent()).toMatch(/^Running +for \d+ (ms|s)\.$/);
    const said = await live.textContent();
    const then = await told.textContent();
    await expect.poll(() => told.textContent()).not.toBe(then);
    await expect.poll(() => live.textContent()).toBe(said);
  });

  testWith(headlessChromium)('has tabs that can be changed with the arrow keys', async () => {
    const page = await browser.open(`${server.url}/runs/${await started('demo/held')}`);
    await page.getByRole('tab', { name: 'log' }).focus();
    await page.keyboard.press('ArrowLeft');
    await page.getByText('Isolation').waitFor();
    expect((await focused(page)).trim()).toBe('BUTTON Details');
    await page.keyboard.press('ArrowLeft');
    await page.getByText('run.created').waitFor();
    await page.keyboard.press('Home');
    await expect.poll(() => page.getByRole('tab', { selected: true }).textContent()).toMatch(/^Log *$/);
  });

  testWith(headlessChromium)('says why a step failed, also on a phone', async () => {
    const runId = await started('demo/fails', { async: false });
    const page = await browser.open(`${server.url}/runs/${runId}`, { width: 360, height: 740 });
    await steps(page)
      .filter({ hasText: 'fetch' })
      .getByText(/the disk is full/)
      .waitFor();
    await expect.poll(() => page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
  });

  testWith(headlessChromium)('that had to wait says how long it waited', async () => {
    await using quiet = await startServing();
    const run = await quiet.addRun({ createdAtMs: Date.now() - 2_000 });
    await run.move('claim');
    await run.finish();
    const page = await browser.open(`${quiet.url}/runs/${run.id}`);
    await page.getByText(/of work, \d\.\d s waiting/).waitFor();
  });
});
