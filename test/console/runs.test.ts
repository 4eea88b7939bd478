// Runs in the browser: the page of a run with its log, and the list of runs.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, describe, expect } from 'vitest';
import { startServing } from '../server/serving.ts';
import { openWire } from '../support/a-wire.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { aBrowser, choose, resize } from './a-browser.ts';

const linesOfLoud = 300_000;

const server = await startServing({
  executes: true,
  jobs: {
    'demo/report': bash(
      String.raw`echo -e '\e[31mred\e[0m <b>not bold</b>'
flwd_log warn careful
mkdir -p artifacts
echo '<script>alert(1)</script>' > artifacts/page.html
cat > artifacts/chart.svg <<'EOF'
<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30" onload="(opener ?? top).document.documentElement.id = 'ran'">
<script>(opener ?? top).document.documentElement.id = 'ran'; document.documentElement.id = 'ran'</script>
<image href="http://example.invalid/seen.png" width="9" height="9"/><rect width="40" height="30" fill="red"/>
</svg>
EOF
flwd_result '[{"disk": "sda", "used": 40}, {"disk": "sdb", "used": 7}]'`,
      { artifacts: { paths: ['artifacts/*'] } },
    ),
    'demo/steps': {
      'config.yaml': JSON.stringify({
        steps: [
          { id: 'fetch', script: './fetch.sh' },
          { id: 'test', script: './test.sh', needs: ['fetch'] },
          { id: 'ship', script: './fetch.sh', needs: ['test'] },
        ],
      }),
      'fetch.sh': '#!/usr/bin/env bash\nseq -f "fetched %.0f" 500\n',
      'test.sh': '#!/usr/bin/env bash\nseq -f "test %.0f is fine" 300\necho "the last words" >&2\nexit 3\n',
    },
    'demo/prose': bash(
      `if [ "$FLWD_ATTEMPT" = 1 ]; then echo "the first time"; exit 75; fi
mkdir -p artifacts
printf '# Disks

| disk | used |
| --- | ---: |
| sda | **40** |

- see [the page](https://example.org/)
- [not this](javascript:alert(1))
<img src=x onerror=alert(1)>
' > artifacts/report.md
flwd_result '"All is *well*."'`,
      { artifacts: { paths: ['artifacts/*'] }, retry: { limit: 1, delay: '10ms' } },
    ),
    'demo/loud': bash(`seq -f 'line %.0f of many' ${linesOfLoud}`),
    'demo/waits': bash('trap "echo told to end; exit 1" TERM; echo begun; while :; do sleep 0.05; done', {
      cancel: { grace: '20s' },
    }),
    'demo/held': bash('sleep 600'),
    'demo/fails': bash('exit 3'),
    'demo/feed': bash('curl -sS https://example.org/feed'),
    'demo/leaves': bash('echo x > ~/dump.sql'),
    'demo/ask': {
      'config.yaml': JSON.stringify({
        steps: [
          { id: 'ask', approval: { text: 'Shall it go on?' } },
          { id: 'go', script: './go.sh', needs: ['ask'] },
        ],
      }),
      'go.sh': '#!/usr/bin/env bash\necho gone on\n',
    },
  },
});
afterAll(() => server.close());
const browser = aBrowser();

async function started(jobId: string, body: object = {}): Promise<string> {
  const answer = await server.post('/runs', { job_id: jobId, ...body });
  return JSON.parse(await answer.text()).run_id;
}

const finished = (jobId: string): Promise<string> => started(jobId, { async: false });

const log = (page: Page) => page.getByRole('log', { name: 'Log' });
async function isInView(page: Page, text: string): Promise<boolean> {
  const line = log(page).getByText(text, { exact: true });
  if ((await line.count()) === 0) return false;
  const [own, pane] = [await line.boundingBox(), await log(page).boundingBox()];
  const bottom = page.viewportSize()?.height ?? 0;
  if (!own || !pane) return false;
  return own.y >= pane.y && own.y + own.height <= Math.min(bottom, pane.y + pane.height);
}

/** Scrolls to the end of the log in this direction. */
async function scroll(page: Page, by: 1 | -1): Promise<void> {
  await log(page).hover();
  await page.mouse.wheel(0, by * 1_000_000);
}

describe('a run', () => {
  testWith(headlessChromium)('shows its colours, result, artifacts, arguments and events', async () => {
    const page = await browser.open(`${server.url}/runs/${await finished('demo/report')}`);
    await page.getByText(/Succeeded in/).waitFor();
    await page.getByText('local through the API').waitFor();
    const red = log(page).getByText('red', { exact: true });
    await expect.poll(() => red.getAttribute('class')).toMatch(/fg1/);
    await log(page).getByText('<b>not bold</b>').waitFor();
    await page.getByRole('tab', { name: 'result' }).click();
    const cells = page.getByRole('region', { name: 'Result' }).getByRole('cell');
    await expect.poll(() => cells.allTextContents()).toEqual(['sda', '40', 'sdb', '7']);
    await page.getByRole('tab', { name: 'artifacts' }).click();
    await page.getByRole('button', { name: 'Preview page.html' }).click();
    const content = page.getByRole('region', { name: 'Content of page.html' });
    await expect.poll(() => content.textContent()).toBe('<script>alert(1)</script>\n');
    const saving = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download page.html' }).click();
    expect((await saving).suggestedFilename()).toBe('page.html');
    await page.getByRole('tab', { name: 'details' }).click();
    await page.getByText('Isolation').waitFor();
    await page.getByRole('tab', { name: 'events' }).click();
    await page.getByText('run.finished').waitFor();
  });

  testWith(headlessChromium)('says which of its files are not kept', async () => {
    const page = await browser.open(`${server.url}/runs/${await finished('demo/leaves')}`);
    await page.getByText(/Succeeded in/).waitFor();
    const note = page.getByText(
      /^1 file \(2 B\) left in the workspace or \/tmp is not kept: dump\.sql; .* on the host\.$/,
    );
    await expect.poll(() => note.count()).toBe(1);
  });

  testWith(headlessChromium)('shows an SVG as a picture without running its scripts', async () => {
    const page = await browser.open(`${server.url}/runs/${await finished('demo/report')}?tab=artifacts`);
    await page.getByRole('button', { name: 'Preview chart.svg' }).click();
    const picture = page.getByRole('img', { name: 'chart.svg' });
    await picture.waitFor();
    await expect.poll(() => page.evaluate('document.querySelector("[role=tabpanel] img").naturalWidth')).toBe(40);
    const opening = page.waitForEvent('popup');
    await page.evaluate('void open(document.querySelector("[role=tabpanel] img").src)');
    const alone = await opening;
    await alone.locator('rect').waitFor();
    for (const shown of [page, alone]) {
      expect(await shown.evaluate('document.documentElement.id')).not.toBe('ran');
    }
  });

  testWith(headlessChromium)('shows a text as Markdown, and never as HTML', async () => {
    const page = await browser.open(`${server.url}/runs/${await finished('demo/prose')}?tab=result`);
    await page.getByText('well', { exact: true }).waitFor();
    await page.getByRole('tab', { name: 'artifacts' }).click();
    await page.getByRole('button', { name: 'Preview report.md' }).click();
    const content = page.getByRole('region', { name: 'Content of report.md' });
    await content.getByRole('heading', { name: 'Disks' }).waitFor();
    await expect.poll(() => content.getByRole('cell').allTextContents()).toEqual(['sda', '40']);
    const links = content.getByRole('link');
    expect([await links.count(), await links.getAttribute('href')]).toEqual([1, 'https://example.org/']);
    await expect.poll(() => content.textContent()).toContain('<img src=x onerror=alert(1)>');
    await page.getByRole('tab', { name: 'log' }).click();
    await choose(page, 'Attempt', 'Attempt 1');
    await log(page).getByText('the first time').waitFor();
    expect(page.url()).toContain('attempt=1');
  });

  testWith(headlessChromium)(
    'is named after its job and its time, says what to change after a failure, and its id can be copied',
    async () => {
      const runId = await finished('demo/feed');
      const page = await browser.open(`${server.url}/runs/${runId}`);
      await page.getByRole('heading', { level: 1, name: /^feed, today \d\d:\d\d$/ }).waitFor();
      await page
        .getByText('The sandbox gives the job no network: allow it with permissions: {network: all}.')
        .waitFor();
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
      await page.getByRole('button', { name: 'Copy the id' }).click();
      await page.getByRole('status').filter({ hasText: 'Copied' }).waitFor();
      expect(await page.evaluate('navigator.clipboard.readText()')).toBe(runId);
    },
  );

  testWith(headlessChromium)('that failed opens at the last lines of the step that failed', async () => {
    const page = await browser.open(`${server.url}/runs/${await finished('demo/steps')}`);
    await page.getByText(/Failed in test: the last words\./).waitFor();
    await expect.poll(() => page.getByRole('combobox', { name: 'Step', exact: true }).textContent()).toBe('test');
    await expect.poll(() => isInView(page, 'the last words')).toBe(true);
    expect(await log(page).getByText('fetched 1', { exact: true }).count()).toBe(0);
    await page.getByRole('button', { name: 'Graph' }).click();
    await page.getByRole('list', { name: 'Graph of the steps' }).getByRole('link', { name: 'fetch: Success' }).click();
    await expect.poll(() => isInView(page, 'fetched 500')).toBe(true);
    const chosen = page.getByRole('region', { name: 'Steps', exact: true }).locator('[aria-current=true]');
    await expect.poll(() => chosen.textContent()).toMatch(/^fetch: Success, /);
    await page.getByRole('button', { name: 'Timeline' }).click();
    await expect.poll(() => chosen.allTextContents()).toEqual(['fetch']);
    await page.getByRole('tab', { name: 'details' }).click();
    await page.getByText('Isolation').waitFor();
    expect(page.url()).toContain('step=fetch');
    await page.getByRole('tab', { name: 'log' }).click();
    await choose(page, 'Step', 'test');
    await expect.poll(() => chosen.allTextContents()).toEqual(['test']);
    await page.getByRole('img', { name: /failed \d/ }).waitFor();
    await choose(page, 'Step', 'All steps');
    await expect.poll(() => isInView(page, 'the last words')).toBe(true);
    await page.getByRole('button', { name: 'Retry failed steps' }).click();
    await page.getByText('local, as a rerun of an earlier run').waitFor();
    await page.getByText(/Failed in test/).waitFor();
    const rows = page.getByRole('region', { name: 'Steps', exact: true }).getByRole('listitem');
    const kept = rows.filter({ hasText: 'kept from the earlier run' });
    await expect.poll(() => kept.getByRole('link').allTextContents()).toEqual(['fetch']);
    await expect.poll(() => kept.getByRole('img').getAttribute('aria-label')).toBe('did not start');
    await kept.getByRole('link').click();
    await page.getByText('This step was kept from the earlier run, which has its log.').waitFor();
    const again = page.url();
    await page.getByRole('button', { name: 'Other ways to run it again' }).click();
    await page.getByRole('menuitem', { name: 'Run again from a step…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'test' }).click();
    await expect.poll(() => page.url()).not.toBe(again);
  });

  testWith(headlessChromium)('of a job that has changed since offers to run the newest revision first', async () => {
    const runId = await started('demo/fails');
    const page = await browser.open(`${server.url}/runs/${runId}`);
    await page.getByRole('button', { name: 'Run again', exact: true }).waitFor();
    const script = join(server.root, 'jobs/demo/fails/run.sh');
    writeFileSync(script, '#!/usr/bin/env bash\necho "works now"\n');
    await page.reload();
    await page.getByRole('button', { name: 'Run newest revision' }).waitFor();
    await page.getByRole('button', { name: 'Other ways to run it again' }).click();
    await page.getByRole('menuitem', { name: 'Run again as it was' }).click();
    await expect.poll(() => page.url()).not.toContain(runId);
    await page
      .getByText(/^Failed/)
      .first()
      .waitFor();
    const asItWas = page.url();
    await page.getByRole('button', { name: 'Run newest revision' }).click();
    await expect.poll(() => page.url()).not.toBe(asItWas);
    await page.getByText(/Succeeded in/).waitFor();
    await log(page).getByText('works now').waitFor();
  });

  testWith(headlessChromium)('can be watched live and cancelled', async () => {
    const runId = await started('demo/waits');
    const page = await browser.open(`${server.url}/runs/${runId}`);
    await page.getByText('Running', { exact: true }).last().waitFor();
    await log(page).getByText('begun').waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page
      .getByRole('dialog', { name: 'Cancel this run?' })
      .getByRole('button', { name: 'Cancel the run' })
      .click();
    await log(page).getByText('told to end').waitFor();
    await page.getByText(/Cancelled by local after/).waitFor();
    await expect
      .poll(() => page.getByRole('list', { name: 'Cancel' }).textContent())
      .toMatch(/requested by local.*SIGTERM to \d+ process.*no process is left/);
  });

  testWith(headlessChromium)('that waits for approval can be approved', async () => {
    await started('demo/ask');
    const page = await browser.open(`${server.url}/runs?q=job:demo/ask`);
    await page.getByText('Shall it go on?').first().waitFor();
    await page.getByRole('cell', { name: /^waits \d/ }).waitFor();
    await resize(page, 390, 844);
    await page.getByText(/· waits \d/).waitFor();
    await resize(page, 1200, 900);
    await page.getByRole('link', { name: /^Waiting for approval/ }).click();
    await expect.poll(() => new URL(page.url()).searchParams.get('q')).toBe('status:waiting_approval');
    await page.getByRole('table', { name: 'Runs' }).getByRole('link', { name: 'demo/ask' }).click();
    await page.getByText('Waiting for approval: Shall it go on?').waitFor();
    const asked = page.getByRole('region', { name: 'Approval of ask' });
    await asked.getByText('Shall it go on?').waitFor();
    await asked.getByRole('textbox', { name: 'Reason' }).fill('go');
    await asked.getByRole('button', { name: 'Approve' }).click();
    await page.getByText(/Succeeded in/).waitFor();
    await log(page).getByText('gone on').waitFor();
    await page.goBack();
    await page.getByText('No runs match.').waitFor();
  });

  testWith(headlessChromium)('can be compared with the last success of its job, if there is one', async () => {
    await using quiet = await startServing();
    const ran = async (): Promise<string> => {
      const run = await quiet.addRun({ args: { token: '[redacted]' } });
      await run.move('claim');
      await run.finish();
      return run.id;
    };
    const [first, second] = [await ran(), await ran()];
    const page = await browser.open(`${quiet.url}/runs/${second}`);
    const compare = page.getByRole('link', { name: 'Compare', exact: true });
    await expect.poll(() => compare.getAttribute('href')).toBe(`/compare?a=${first}&b=${second}`);
    await page.getByRole('link', { name: 'Compare the two runs' }).waitFor();
    await page.getByText('the same, apart from secrets', { exact: true }).waitFor();
    const read = page.waitForResponse((answer) => answer.url().includes('status=success'));
    await page.goto(`${quiet.url}/runs/${first}`);
    await (await read).finished();
    await page.getByRole('button', { name: 'Run again', exact: true }).waitFor();
    expect(await compare.count()).toBe(0);
  });

  testWith(headlessChromium)('that does not exist is reported', async () => {
    const page = await browser.open(`${server.url}/runs/run_0`);
    await expect.poll(() => page.getByRole('alert').textContent()).toMatch(/run_0/);
    await page.getByRole('heading', { level: 1, name: 'run_0' }).waitFor();
    await page.getByRole('navigation', { name: 'Breadcrumbs' }).getByRole('link', { name: 'Runs' }).click();
    await page.getByRole('heading', { level: 1, name: 'Runs' }).waitFor();
    await page.goto(`${server.url}/rnus`);
    await page.getByRole('heading', { level: 1, name: 'Page not found' }).waitFor();
    const onward = page.getByRole('main').getByRole('link', { name: 'Overview' });
    const decoration = "getComputedStyle(document.querySelector('main a')).textDecorationLine";
    expect(await page.evaluate(decoration)).toBe('underline');
    await onward.click();
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  });
});

describe('a large log', () => {
  testWith(headlessChromium)('opens at its end, scrolls, can be searched, and has a link for each line', async () => {
    const runId = await finished('demo/loud');
    await server.fetch(`/runs/${runId}/logs?tail=1`);
    const page = await browser.open(`${server.url}/runs/${runId}`);
    await expect.poll(() => isInView(page, `line ${linesOfLoud} of many`)).toBe(true);
    await expect.poll(() => log(page).locator('[data-level]').count()).toBeLessThanOrEqual(2_000);

    await log(page).focus();
    await page.keyboard.press('Home');
    await expect.poll(() => isInView(page, 'line 1 of many')).toBe(true);
    for (let n = 0; n < 8; n++) {
      const before = await log(page).locator('[data-level]').last().getAttribute('data-seq');
      await scroll(page, 1);
      await expect.poll(() => log(page).locator('[data-level]').last().getAttribute('data-seq')).not.toBe(before);
    }
    await expect.poll(() => log(page).locator('[data-level]').count()).toBe(2_000);

    await page.getByRole('searchbox', { name: 'Search the log' }).fill('LINE 123456 of');
    await page.keyboard.press('Enter');
    await page.getByText('1 of 1', { exact: true }).waitFor();
    await expect.poll(() => log(page).locator('[data-mark] mark').textContent()).toBe('line 123456 of');

    await log(page).getByRole('link', { name: 'Link to line 123460', exact: true }).click();
    expect(page.url()).toMatch(/line=123460&/);
    const shared = await browser.open(page.url());
    await expect.poll(() => isInView(shared, 'line 123460 of many')).toBe(true);
    await expect.poll(() => log(shared).locator('[data-mark]').getAttribute('data-seq')).toBe('123460');
    await shared.getByRole('button', { name: /To the end/ }).click();
    await expect.poll(() => isInView(shared, `line ${linesOfLoud} of many`)).toBe(true);
  });

  testWith(headlessChromium)(
    'counts new lines while the reader has scrolled up, and loses no line while the connection is broken',
    async () => {
      await using quiet = await startServing();
      const run = await quiet.addRun();
      await run.move('claim');
      await run.print(...Array.from({ length: 200 }, (_, n) => `first ${n + 1}`));
      await using wire = await openWire(quiet.url);
      const page = await browser.open(`${wire.url}/runs/${run.id}`, { mayFail: true });
      await expect.poll(() => isInView(page, 'first 200')).toBe(true);
      await scroll(page, -1);
      await page.getByRole('button', { name: 'To the end' }).waitFor();
      await run.print('second 1', 'second 2', 'second 3');
      await page.getByRole('button', { name: '3 new lines' }).click();
      await expect.poll(() => isInView(page, 'second 3')).toBe(true);
      wire.cut();
      await page.getByRole('status').filter({ hasText: 'unreachable' }).waitFor();
      await run.print('while it was away');
      wire.fix();
      await expect.poll(() => isInView(page, 'while it was away')).toBe(true);
      await expect.poll(() => log(page).getByText('second 3', { exact: true }).count()).toBe(1);
    },
  );
});

const rowsOf = (page: Page, checkbox: string | RegExp = /^Select run_/) =>
  page
    .getByRole('table', { name: 'Runs' })
    .getByRole('row')
    .filter({ has: page.getByRole('checkbox', { name: checkbox }) });

describe('the list of runs', () => {
  testWith(headlessChromium)(
    'can be filtered by a text that the URL keeps, and loads more runs when scrolled',
    async () => {
      await started('demo/held');
      const page = await browser.open(`${server.url}/runs`);
      const filter = page.getByRole('combobox', { name: 'Filter runs' });
      await filter.fill('job:demo/held since:1h');
      const rows = rowsOf(page);
      await expect.poll(() => new URL(page.url()).searchParams.get('q')).toBe('job:demo/held since:1h');
      await expect.poll(() => rows.count()).toBe(1);
      const runId = await started('demo/held');
      await expect.poll(() => rows.count()).toBe(2);
      await rowsOf(page, `Select ${runId}`).getByText('Running').waitFor();
      await page.reload();
      await expect.poll(() => rows.count()).toBe(2);
      await page.getByRole('checkbox', { name: `Select ${runId}` }).check();
      await page.getByRole('button', { name: 'Cancel the run' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Cancel the run' }).click();
      await rowsOf(page, `Select ${runId}`).getByText('Cancelled').waitFor();
      await filter.press('Control+End');
      await filter.pressSequentially('status:running ');
      await expect.poll(() => rows.count()).toBe(1);
      await page.getByRole('checkbox', { name: 'Select all' }).check();
      await page.getByRole('button', { name: 'Cancel the run' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Cancel the run' }).click();
      await page.getByText('No runs match.').waitFor();
      await page.getByRole('button', { name: 'Remove status:running' }).click();
      await expect.poll(() => rows.count()).toBe(2);
      await filter.fill('status:lost');
      await page.getByRole('alert').filter({ hasText: "There is no status 'lost'" }).waitFor();
    },
  );

  testWith(headlessChromium)('completes filters and their values, and splits a pasted text into filters', async () => {
    await using quiet = await startServing({ jobs: { 'shop/release': bash('true'), 'shop/prices': bash('true') } });
    await quiet.addRun({ jobId: 'shop/release', labels: { kind: 'rehearsal' } });
    await quiet.addRun({ jobId: 'shop/prices', labels: {}, createdBy: 'mara' });
    const page = await browser.open(`${quiet.url}/runs`);
    await expect.poll(() => rowsOf(page).count()).toBe(2);
    const asked = () => new URL(page.url()).searchParams.get('q');
    await page.keyboard.press('/');
    await page.keyboard.type('jo');
    await page.getByRole('option', { name: /^job:/ }).waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.type('rel');
    await page.getByRole('option', { name: 'job:shop/release' }).waitFor();
    await page.keyboard.press('Tab');
    await expect.poll(asked).toBe('job:shop/release');
    await expect.poll(() => rowsOf(page).count()).toBe(1);
    // Backspace reopens the last filter for editing.
    await page.keyboard.press('Backspace');
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.type('by:');
    await page.getByRole('option', { name: 'by:mara' }).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await expect.poll(asked).toMatch(/^by:(mara|local)$/);
    await page.getByRole('button', { name: /^Remove by:/ }).click();
    await expect.poll(asked).toBe(null);
    await page.getByRole('combobox', { name: 'Filter runs' }).focus();
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.evaluate("navigator.clipboard.writeText('status:pending -label:kind=rehearsal job:shop/')");
    await page.keyboard.press('ControlOrMeta+V');
    await page.getByRole('button', { name: 'Remove -label:kind=rehearsal' }).waitFor();
    await expect.poll(asked).toBe('status:pending -label:kind=rehearsal job:shop/');
    await expect.poll(() => rowsOf(page).count()).toBe(1);
    await rowsOf(page).getByRole('link', { name: 'shop/prices' }).waitFor();
  });

  testWith(headlessChromium)('shows the date and time of yesterday’s runs without cutting them', async () => {
    await using quiet = await startServing();
    await quiet.addRun({ createdAtMs: Date.now() - 86_400_000 });
    const page = await browser.open(`${quiet.url}/runs`);
    await page.getByRole('cell', { name: /^yesterday \d\d:\d\d$/ }).waitFor();
    const cell = "document.querySelector('td:has(time)')";
    await expect.poll(() => page.evaluate(`${cell}.scrollWidth - ${cell}.clientWidth`)).toBe(0);
  });

  testWith(headlessChromium)(
    'hides sub-runs, saves the user’s filters, and compares two runs, all by keyboard',
    async () => {
      await using quiet = await startServing();
      await quiet.addRun({ jobId: 'sub', trigger: { type: 'job' } });
      const first = await quiet.addRun({ jobId: 'top', args: { target: 'a', token: '[redacted]' } });
      const second = await quiet.addRun({ jobId: 'top', args: { target: 'b', token: '[redacted]' } });
      const page = await browser.open(`${quiet.url}/runs`);
      await expect.poll(() => rowsOf(page).count()).toBe(2);
      await page.getByRole('button', { name: 'Top level only' }).click();
      await expect.poll(() => rowsOf(page).count()).toBe(3);
      await page.getByRole('button', { name: 'With sub-runs' }).click();
      await expect.poll(() => rowsOf(page).count()).toBe(2);

      await page.getByRole('combobox', { name: 'Filter runs' }).pressSequentially('job:top ');
      await page.getByRole('button', { name: 'Save filter' }).click();
      await page.getByRole('textbox', { name: 'Name' }).fill('Tops');
      await page.keyboard.press('Enter');
      const saved = page.getByRole('navigation', { name: 'Saved filters' });
      await saved.getByRole('link', { name: 'Tops 2' }).waitFor();
      await page.keyboard.press('Escape');
      await saved.getByRole('link', { name: 'All 2' }).click();
      await expect.poll(() => new URL(page.url()).search).toBe('');

      await expect.poll(() => rowsOf(page).count()).toBe(2);
      await page.locator('body').focus();
      for (const key of ['j', 'x', 'j', 'x']) await page.keyboard.press(key);
      await page.getByRole('region', { name: 'Chosen runs' }).getByText('2 chosen').waitFor();
      await page.getByRole('link', { name: 'Compare' }).click();
      await expect.poll(() => new URL(page.url()).search).toBe(`?a=${first.id}&b=${second.id}`);
      await page
        .getByRole('table', { name: 'Arguments' })
        .getByRole('row', { name: /target.*differs.*a.*b/ })
        .waitFor();
      await page.getByRole('row', { name: /token.*not compared/ }).waitFor();
      // Back shows the list with the same runs selected.
      await page.goBack();
      await page.getByRole('region', { name: 'Chosen runs' }).getByText('2 chosen').waitFor();
      await page.keyboard.press('Escape');
      await expect.poll(() => page.getByRole('region', { name: 'Chosen runs' }).count()).toBe(0);
    },
  );

  testWith(headlessChromium)('includes runs that started before its event stream was open', async () => {
    await started('demo/held');
    const page = await browser.open(`${server.url}/jobs`);
    const told = Promise.withResolvers<void>();
    await page.route('**/events/runs?*', async (route) => {
      await told.promise;
      await route.continue();
    });
    await page.getByRole('link', { name: /^Runs/ }).click();
    await rowsOf(page).first().waitFor();
    const runId = await started('demo/held');
    told.resolve();
    await page.getByRole('checkbox', { name: `Select ${runId}` }).waitFor();
  });

  // A fast scroll draws seventeen new rows per frame.
  testWith(headlessChromium)('draws few elements for each run', async () => {
    await finished('demo/report');
    const page = await browser.open(`${server.url}/runs?q=job:demo/report`);
    // A run that took longer than usual has two more elements to say so.
    const row = page
      .getByRole('row')
      .filter({ has: page.locator('[data-look="success"]') })
      .first();
    await row.waitFor();

    expect(await row.locator('*').count()).toBeLessThanOrEqual(25);
  });

  testWith(headlessChromium)('scrolls to the very last run, and collects new runs in the meantime', async () => {
    await using many = await startServing();
    const first = await many.addRun();
    for (let n = 1; n < 1_200; n += 100) await Promise.all(Array.from({ length: 100 }, () => many.addRun()));
    const page = await browser.open(`${many.url}/runs`);
    await page.getByText('1,201 runs').waitFor();
    await expect
      .poll(async () => {
        await page.mouse.move(600, 500);
        await page.mouse.wheel(0, 1_000_000);
        return page.getByRole('checkbox', { name: `Select ${first.id}` }).count();
      })
      .toBe(1);
    await expect.poll(() => rowsOf(page).count()).toBeLessThanOrEqual(100);
    await first.move('claim');
    await rowsOf(page, `Select ${first.id}`).getByText('Running').waitFor();
    const newest = await many.addRun();
    await page.getByRole('button', { name: '1 new' }).click();
    await page.getByRole('checkbox', { name: `Select ${newest.id}` }).waitFor();
    expect(await page.getByRole('button', { name: '1 new' }).count()).toBe(0);
  });
});
