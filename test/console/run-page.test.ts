// The page of a run: folded and unfolded steps, sub-runs in place, approvals, and use by keyboard alone.

import { afterAll, expect } from 'vitest';
import { startServing } from '../server/serving.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { aBrowser } from './a-browser.ts';

const server = await startServing({
  executes: true,
  jobs: {
    'shop/release': {
      'config.yaml': JSON.stringify({
        argspec: { type: 'object', properties: { version: { type: 'string' } } },
        steps: [
          { id: 'build', script: './a.sh' },
          { id: 'test', script: './a.sh', needs: ['build'], matrix: { node: [22, 24], db: ['pg', 'sqlite'] } },
          { id: 'ship', script: './a.sh', needs: ['test'] },
        ],
      }),
      'a.sh': [
        '#!/usr/bin/env bash',
        'echo "step of $FLWD_ARG_VERSION"',
        'case "$FLWD_ARG_VERSION $FLWD_STEP_ID" in "2 test[node=24,db=pg]") echo "expected 17, got 14" >&2; exit 1;; esac',
      ].join('\n'),
    },
    'shop/leaf': bash('echo "in the leaf"; exit 3'),
    'shop/tree': {
      'config.yaml': JSON.stringify({
        steps: [
          { id: 'child', job: 'shop/leaf' },
          { id: 'after', script: './a.sh', needs: ['child'] },
        ],
      }),
      'a.sh': '#!/usr/bin/env bash\ntrue\n',
    },
    'shop/ask': {
      'config.yaml': JSON.stringify({ steps: [{ id: 'ask', approval: { text: 'Shall it go on?' } }] }),
    },
  },
});
afterAll(() => server.close());
const browser = aBrowser();

async function run(jobId: string, body: object = {}): Promise<string> {
  const answer = await server.post('/runs', { job_id: jobId, async: false, ...body });
  return JSON.parse(await answer.text()).run_id;
}

testWith(headlessChromium)(
  'a failed matrix opens at its failed instance, and the page compares the run with the last success',
  async () => {
    await run('shop/release', { args: { version: '1' } });
    const page = await browser.open(`${server.url}/runs/${await run('shop/release', { args: { version: '2' } })}`);
    await page
      .getByText(/^Failed in test, node=24 db=pg: .*expected 17, got 14\. 3 other instances succeeded/)
      .waitFor();
    const rows = page.getByRole('region', { name: 'Steps', exact: true }).getByRole('listitem');
    const told = () => rows.getByRole('link').allTextContents();
    await expect.poll(told).toEqual(['build', 'test', 'node=24 db=pg', 'ship']);
    await rows.getByText('1 of 4 failed').waitFor();
    // The whole log is visible.
    await page.getByRole('log', { name: 'Log' }).getByText('expected 17, got 14').waitFor();
    await expect.poll(() => page.getByRole('button', { name: 'To the end' }).count()).toBe(0);
    await rows.getByText('needs test').waitFor();
    await page.getByRole('button', { name: '3 others succeeded' }).last().click();
    await expect.poll(told).toHaveLength(7);
    const last = page.getByRole('region', { name: 'Compared with the last success' });
    await expect.poll(() => last.textContent()).toMatch(/version *1 → 2/);
    await last.getByText('first differs at line 1 in build').waitFor();
    await page.getByText('differs from the last success').waitFor({ state: 'attached' });
    const later = page.getByRole('link', { name: 'A later run' });
    expect(await later.count()).toBe(0);
    const fixed = await run('shop/release', { args: { version: '1' } });
    await page.reload();
    await expect.poll(() => later.getAttribute('href')).toBe(`/runs/${fixed}`);
  },
);

testWith(headlessChromium)('the list and the graph of the steps can be used by keyboard alone', async () => {
  const page = await browser.open(`${server.url}/runs/${await run('shop/release', { args: { version: '2' } })}`);
  const steps = page.getByRole('region', { name: 'Steps', exact: true });
  await steps.getByRole('link', { name: 'build' }).focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowLeft');
  await expect.poll(() => steps.getByRole('link').count()).toBe(3);
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect.poll(() => steps.getByRole('link').count()).toBe(7);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect.poll(() => decodeURIComponent(page.url())).toContain('step=test[node=22,db=pg]');

  await page.getByRole('button', { name: 'Graph' }).focus();
  await page.keyboard.press('Enter');
  const graph = page.getByRole('list', { name: 'Graph of the steps' });
  await graph.getByRole('link', { name: /^node=22 db=pg: Success/ }).focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect.poll(() => decodeURIComponent(page.url())).toContain('step=test[node=24,db=pg]');
  await expect.poll(() => graph.locator('[aria-current=true]').textContent()).toMatch(/^node=24 db=pg: Failed/);
});

testWith(headlessChromium)('a failed sub-run is unfolded in place, and links to its own page', async () => {
  const page = await browser.open(`${server.url}/runs/${await run('shop/tree')}`);
  await page.getByText(/^Failed in child: shop\/leaf failed/).waitFor();
  const inner = page.getByRole('list', { name: 'Steps of shop/leaf' });
  await inner.getByText(/exited with code 3/).waitFor();
  await inner.getByRole('link').click();
  await page.getByRole('heading', { level: 1, name: /^leaf, / }).waitFor();
  await page.getByText('step child of another run').waitFor();
});

testWith(headlessChromium)('an approval is denied only with a reason', async () => {
  const answer = await server.post('/runs', { job_id: 'shop/ask' });
  const page = await browser.open(`${server.url}/runs/${JSON.parse(await answer.text()).run_id}`);
  const asked = page.getByRole('region', { name: 'Approval of ask' });
  await asked.getByRole('heading', { name: 'Shall it go on?' }).waitFor();
  await asked.getByRole('button', { name: 'Deny' }).click();
  await asked.getByText('Say why you deny it').waitFor();
  await asked.getByRole('textbox', { name: 'Reason' }).fill('not today');
  await asked.getByRole('button', { name: 'Deny' }).click();
  await page
    .getByText(/denied by local: “not today”/)
    .first()
    .waitFor();
});

testWith(headlessChromium)('an approval can be answered even if the list of approvals cannot be loaded', async () => {
  const answer = await server.post('/runs', { job_id: 'shop/ask' });
  const { run_id: id } = JSON.parse(await answer.text());
  const page = await browser.open(server.url);
  await page.route(/\/approvals\?/, (route) => route.fulfill({ status: 503, json: {} }));
  await page.goto(`${server.url}/runs/${id}`);
  const asked = page.getByRole('region', { name: 'Approval of ask' });
  await asked.getByRole('button', { name: 'Approve' }).click();
  await page
    .getByText(/approved by local/)
    .first()
    .waitFor();
});

testWith(headlessChromium)(
  'the page of a run that does not exist links to all runs, also from its log and in a comparison',
  async () => {
    const id = 'run_01M8S953VJJ0000000000000AA';
    for (const path of [`/runs/${id}`, `/runs/${id}/log`]) {
      const page = await browser.open(server.url + path);
      await page.getByRole('heading', { level: 1, name: 'run_01M8…000000AA' }).waitFor();
      const alert = page.getByRole('alert').filter({ hasText: id });
      expect(await alert.getByRole('paragraph').first().textContent()).toBe(`The run '${id}' does not exist`);
      expect(await alert.getByRole('button').count()).toBe(0);
      await alert.getByRole('link', { name: 'All runs' }).click();
      await page.getByRole('heading', { level: 1, name: 'Runs' }).waitFor();
    }
    const page = await browser.open(`${server.url}/compare?a=${id}&b=${id}`);
    const alert = page.getByRole('alert').filter({ hasText: id });
    expect(await alert.getByRole('paragraph').first().textContent()).toBe(`The run '${id}' does not exist`);
    await alert.getByRole('link', { name: 'All runs' }).click();
    await page.getByRole('heading', { level: 1, name: 'Runs' }).waitFor();
  },
);
