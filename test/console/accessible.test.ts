// Accessibility: WCAG AA on every page in both themes, phones, the keyboard, and signing in.

import type { Page } from 'playwright-core';
import { afterAll, describe, expect } from 'vitest';
import { startServing } from '../server/serving.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { absentTools, testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { aBrowser, goByKey, resize, settled } from './a-browser.ts';
import { errorsInBothThemes, accessibilityErrors as errorsOf } from './accessibility-errors.ts';
import { pagesWithout, tabsWithout } from './console-pages.ts';

/** Half a day from now, so that the schedule starts no run during the test. */
const hour = (new Date().getUTCHours() + 12) % 24;
const server = await startServing({
  executes: true,
  jobs: {
    'demo/report': bash(
      'for n in 31 32 33 34 35 36 37 90; do echo -e "\\e[${n}mcolour $n\\e[0m"; done; flwd_log warn careful; echo bad >&2\n' +
        'mkdir -p artifacts; echo text > artifacts/a.txt; flwd_result \'{"used": 40}\'',
      {
        description: 'Reports',
        tags: ['demo'],
        schedules: [{ cron: `0 ${hour} * * *` }],
        webhooks: [{ name: 'call', scheme: 'hmac', secret: 'key' }],
        triggers: [{ job: 'demo/steps', on: ['cancelled'] }],
        artifacts: { paths: ['artifacts/*'] },
        argspec: {
          type: 'object',
          properties: {
            disk: { type: 'string', description: 'Which', examples: ['sda'] },
            loud: { type: 'boolean', default: false },
            count: { type: 'integer', maximum: 9 },
            token: { type: 'string', format: 'secret' },
            words: { type: 'array', items: { type: 'string' } },
            mail: { type: 'object', properties: { to: { type: 'string' } } },
          },
        },
      },
    ),
    'demo/steps': {
      'config.yaml': JSON.stringify({
        steps: [
          { id: 'first', script: './a.sh' },
          { id: 'second', script: './b.sh', needs: ['first'] },
        ],
      }),
      'a.sh': '#!/usr/bin/env bash\nseq 100\n',
      'tests.yaml': '- name: finds the media\n  expect: {status: failed, log: [cannot read]}\n',
      'b.sh': `#!/usr/bin/env bash\necho "cannot read ${'/srv/media'.repeat(20)}" >&2\nexit 3\n`,
    },
    'demo/all': { 'config.yaml': JSON.stringify({ steps: [{ id: 'both', job: 'demo/steps' }] }) },
    'demo/gate': {
      'config.yaml': JSON.stringify({ steps: [{ id: 'gate', approval: { text: 'Shall it go on?' } }] }),
    },
    'demo/broken': { 'config.yaml': 'command: [' },
  },
});
afterAll(() => server.close());
const browser = aBrowser();

async function read<T>(answer: Promise<Response>): Promise<T> {
  return JSON.parse(await (await answer).text());
}

async function ran(jobId: string, args: object = {}): Promise<string> {
  const run = await read<{ run_id: string }>(server.post('/runs', { job_id: jobId, args, async: false }));
  return run.run_id;
}

/** Creates two runs of a job, a failed run, the run that started it, and a run that waits for an approval. */
async function fill(): Promise<Record<'report' | 'other' | 'steps' | 'all' | 'waiting', string>> {
  const [report, other, all] = await Promise.all([
    ran('demo/report'),
    ran('demo/report', { disk: 'sdb', loud: true, token: 'hush' }),
    ran('demo/all'),
  ]);
  const { runs } = await read<{ runs: { run_id: string }[] }>(server.fetch('/runs?job_id=demo/steps'));
  const { run_id: waiting } = await read<{ run_id: string }>(server.post('/runs', { job_id: 'demo/gate' }));
  await server.token({ name: 'ci-helper', scopes: ['jobs:read', 'runs:write'] });
  for (const [path, value] of [
    ['/secrets/deploy-key', 'hush'],
    ['/kv/demo/last', 'MTI='],
  ] as const)
    await server.fetch(path, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ value }),
    });
  return { report, other, steps: runs[0]?.run_id ?? '', all, waiting };
}

const empty = { report: '', other: '', steps: '', all: '', waiting: '' };
const { report, other, steps, all, waiting } = absentTools(headlessChromium).length === 0 ? await fill() : empty;

/**
 * Finds elements that extend beyond the right edge of the window. Leaves out elements in an area that scrolls
 * horizontally, and words that end in an ellipsis.
 */
const cutOff = `[...document.querySelectorAll('main *')].filter((element) => {
  if (element.getBoundingClientRect().right <= innerWidth + 1) return false;
  let areWords = true;
  for (let around = element; around; around = around.parentElement) {
    const { overflowX, textOverflow, clipPath, display } = getComputedStyle(around);
    if (['auto', 'scroll'].includes(overflowX) || clipPath !== 'none') return false;
    if (areWords && textOverflow === 'ellipsis') return false;
    areWords &&= display === 'inline';
  }
  return true;
}).map(({ outerHTML }) => outerHTML.slice(0, 160))`;

/** @returns in which ways a page is wider than its window */
async function overflow(page: Page): Promise<string[]> {
  const pixels = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
  const cut = await page.evaluate<string[]>(cutOff);
  return [
    ...(pixels > 0 ? [`is ${pixels} pixels too wide`] : []),
    ...cut.slice(0, 3).map((html) => `cuts off ${html}`),
  ];
}

const pages = [
  ['/', 'Shall it go on?'],
  ['/jobs', 'demo/report'],
  ['/jobs/demo/report', 'Starts at once'],
  ['/jobs/demo/report?tab=runs', 'Open in Runs'],
  ['/jobs/demo/steps?tab=graph', 'second'],
  ['/jobs/demo/report?tab=code&file=run.sh', 'flwd_log'],
  ['/jobs/demo/steps?tab=tests', 'finds the media'],
  ['/jobs/demo/report?tab=schedules', 'in its config.yaml'],
  ['/jobs/demo/report?tab=statistics', 'Every day'],
  ['/jobs/demo/broken', 'config.yaml:'],
  ['/runs', '4 runs'],
  ['/runs?q=status%3Alost', 'There is no status'],
  [`/runs/${report}`, 'careful'],
  [`/runs/${report}?tab=result`, 'used'],
  [`/runs/${report}?tab=artifacts`, 'a.txt'],
  [`/runs/${report}?tab=details`, 'Isolation'],
  [`/runs/${report}?tab=events`, 'run.finished'],
  [`/runs/${all}?tab=sub-runs`, 'demo/steps'],
  [`/runs/${steps}`, 'cannot read'],
  [`/runs/${steps}/log`, 'cannot read'],
  [`/runs/${waiting}`, 'Shall it go on?'],
  [`/compare?a=${report}&b=${other}`, 'sdb'],
  ['/schedules', 'Every day'],
  ['/schedules?view=week', 'Mon'],
  ['/approvals', 'Approve'],
  ['/failures', 'cannot read'],
  ['/logs?q=careful', '2 lines'],
  ['/admin/sources', 'local-fs'],
  ['/admin/webhooks', 'no delivery yet'],
  ['/admin/triggers', 'nothing yet'],
  ['/admin/channels', 'no notification yet'],
  ['/admin/tokens', 'ci-helper'],
  ['/admin/secrets', 'deploy-key'],
  ['/admin/values', 'never expires'],
  ['/admin/audit', 'run.create'],
  ['/admin/storage', 'Kept for'],
  ['/admin/doctor', 'seccomp'],
  ['/admin/instance', 'Up for'],
] as const;

// On a busy machine, forty pages take longer than the default timeout of a test.
testWith(headlessChromium)(
  'every page passes WCAG AA in both themes, and fits a phone',
  { timeout: 600_000 },
  async () => {
    const paths = pages.map(([path]) => path);
    expect([...pagesWithout(paths), ...tabsWithout(paths)]).toEqual([]);
    const page = await browser.open(`${server.url}/jobs`);
    const errors: string[] = [];
    for (const [path, text] of pages) {
      await resize(page, 360, 740);
      await page.goto(server.url + path);
      await expect.poll(() => page.getByText(text).first().isVisible(), { message: path }).toBe(true);
      errors.push(...(await settled(page, () => overflow(page))).map((error) => `${path} ${error}`));
      await resize(page, 1200, 900);
      errors.push(...(await errorsInBothThemes(page)).map((error) => `${path} ${error}`));
    }
    expect(errors).toEqual([]);
  },
);

describe('in both themes', () => {
  testWith(headlessChromium)('a form with errors and a form in JSON pass WCAG AA', async () => {
    const page = await browser.open(`${server.url}/jobs/demo/report`);
    await page.getByLabel('count').fill('often');
    await page.getByLabel('token', { exact: true }).fill('hush-hush');
    await page.getByText('must be a whole number').waitFor();
    expect(await errorsInBothThemes(page)).toEqual([]);
    await page.getByRole('button', { name: 'As JSON' }).click();
    await page.getByRole('textbox', { name: 'Arguments as JSON' }).fill('{"count": 10}');
    await page.getByText('count must be at most 9').waitFor();
    expect(await errorsInBothThemes(page)).toEqual([]);
  });

  testWith(headlessChromium)('a preview and the step graph pass WCAG AA', async () => {
    const page = await browser.open(`${server.url}/runs/${report}?tab=artifacts`);
    await page.getByRole('button', { name: 'Preview a.txt' }).click();
    await page.getByRole('region', { name: 'Content of a.txt' }).waitFor();
    expect(await errorsInBothThemes(page)).toEqual([]);
    await page.goto(`${server.url}/runs/${steps}`);
    await page.getByRole('button', { name: 'Graph' }).click();
    await page.getByRole('list', { name: 'Graph of the steps' }).getByRole('link').first().waitFor();
    expect(await errorsInBothThemes(page)).toEqual([]);
  });

  testWith(headlessChromium)('an approval and the confirmation of a cancel pass WCAG AA', async () => {
    const page = await browser.open(`${server.url}/runs/${waiting}`);
    await page.getByRole('region', { name: 'Approval of gate' }).waitFor();
    expect(await errorsInBothThemes(page)).toEqual([]);
    await page.getByRole('button', { name: 'Cancel', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: 'Cancel this run?' });
    await dialog.waitFor();
    expect(await errorsInBothThemes(page)).toEqual([]);
    await dialog.getByRole('button', { name: 'Cancel the run' }).click();
    await page.getByText(/Cancelled by .* (after|before)/).waitFor();
  });

  testWith(headlessChromium)('the sign-in dialog passes WCAG AA', async () => {
    await using guarded = await startServing({ authMode: 'required' });
    const page = await browser.open(guarded.url);
    await page.getByLabel('API token').waitFor();
    expect(await errorsInBothThemes(page)).toEqual([]);
  });
});

testWith(headlessChromium)('everything can be reached and used by keyboard', async () => {
  const page = await browser.open(`${server.url}/jobs`);
  await page.getByRole('link', { name: 'demo/report' }).waitFor();
  await page.keyboard.press('j');
  await expect.poll(() => page.evaluate('document.activeElement.textContent')).toBe('demo/all');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('k');
  await page.keyboard.press('Enter');
  await page.getByRole('form', { name: 'Arguments' }).waitFor();
  await goByKey(page, 'r', '/runs');
  await page.getByRole('heading', { name: 'Runs' }).waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('job:demo/gate');
  await page.getByText('1 run', { exact: true }).waitFor();
  // The first Escape closes the completions, and the second one leaves the field.
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await page.keyboard.press('?');
  const keys = page.getByRole('dialog', { name: 'Keys' });
  await keys.getByText('search this page').waitFor();
  expect(await errorsOf(page)).toEqual([]);
  const single = keys.getByRole('checkbox', { name: 'Use single-character keys' });
  await single.uncheck();
  await page.keyboard.press('Escape');
  await keys.waitFor({ state: 'detached' });
  await page.keyboard.press('?');
  await page.getByRole('button', { name: 'Help' }).click();
  await single.check();
  await page.keyboard.press('Escape');
  await keys.waitFor({ state: 'detached' });
  await page.keyboard.press('Control+k');
  await page.keyboard.type('demo/rep');
  await expect.poll(() => page.getByRole('option', { selected: true }).textContent()).toContain('demo/report');
  expect(await errorsOf(page)).toEqual([]);
  // The arrow keys move through the list. Tab never leaves the dialog.
  for (const key of ['Tab', 'Tab', 'Shift+Tab']) {
    await page.keyboard.press(key);
    const isInside = () => page.evaluate('document.activeElement.closest("[role=dialog]") !== null');
    await expect.poll(isInside, { message: key }).toBe(true);
  }
  await page.getByRole('combobox', { name: 'Job, page or run' }).press('Control+Enter');
  await page.getByRole('heading', { name: 'report' }).waitFor();
  await page.getByRole('form', { name: 'Arguments' }).waitFor();
});

testWith(headlessChromium)('if the server needs a token, the user can sign in for this tab', async () => {
  await using guarded = await startServing({ authMode: 'required', jobs: { 'demo/report': bash('true') } });
  const { credential } = await guarded.token({ scopes: ['jobs:read', 'runs:read'] });
  const page = await browser.open(`${guarded.url}/jobs`);
  const field = page.getByLabel('API token');
  await field.fill('fwt_wrong');
  expect(await page.getByText('Unauthenticated').count()).toBe(0);
  expect(await errorsOf(page)).toEqual([]);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').filter({ hasText: 'The credential is not valid.' }).waitFor();
  await expect.poll(() => page.getByText('Unauthenticated').count()).toBe(1);
  await expect.poll(() => field.inputValue()).toBe('fwt_wrong');
  await expect.poll(() => page.evaluate('document.activeElement.id')).toBe('token');
  await field.fill(credential);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('link', { name: 'demo/report' }).waitFor();
  await page.reload();
  await page.getByRole('link', { name: 'demo/report' }).waitFor();
  const narrow = await guarded.token({ scopes: ['jobs:read'] });
  await page.getByRole('button', { name: 'Sign out' }).click();
  await field.fill(narrow.credential);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('link', { name: 'demo/report' }).waitFor();
  await page.goto(`${guarded.url}/admin/audit`);
  await page.getByText('To see Audit, you need a token with the scope').waitFor();
  expect(await page.context().cookies()).toEqual([]);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
});

testWith(headlessChromium)('code that cannot be loaded is reported, and a retry loads it', async () => {
  const page = await browser.open(`${server.url}/runs`, { mayFail: true });
  await page.route('**/assets/AdminPage*', (route) => route.abort());
  await page.getByRole('link', { name: 'Admin' }).click();
  await page.getByRole('alert').filter({ hasText: 'This page cannot be shown.' }).waitFor();
  await page.unroute('**/assets/AdminPage*');
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('heading', { name: 'Sources', level: 1 }).waitFor();
});

testWith(headlessChromium)('an unreachable server is reported, and the page keeps its content', async () => {
  const passing = await startServing({ jobs: { 'demo/report': bash('true') } });
  const page = await browser.open(`${passing.url}/jobs`);
  await page.getByRole('link', { name: 'demo/report' }).waitFor();
  await passing.close();
  await page.getByRole('status').filter({ hasText: 'unreachable' }).waitFor();
  await expect.poll(() => page.getByRole('link', { name: 'demo/report' }).count()).toBe(1);
});
