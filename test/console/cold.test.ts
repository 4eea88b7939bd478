// Every page on an instance in use: how soon a browser that has cached nothing can use it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { makeDemoInstance, startDemoRuns } from '../support/demo-instance.ts';
import { expectWithin, msOf } from '../support/goes.ts';
import { absentTools, testWith } from '../support/host.ts';
import { aBrowser } from './a-browser.ts';

/** A second on an idle machine; this one may be busy. */
const mostMs = 10_000;
const checkout = join(import.meta.dirname, '../..');
const dir = mkdtempSync(join(tmpdir(), 'flwd-cold-'));
const browser = aBrowser();
let url = '';
let failed: readonly string[] = [];
let stop = async (): Promise<void> => {};

beforeAll(async () => {
  if (absentTools('chromium').length > 0) return;
  const { configFile } = await makeDemoInstance(dir, { days: 3 });
  const words = [
    join(checkout, 'bin/flwd.js'),
    'serve',
    '--config',
    configFile,
    '--bind',
    '127.0.0.1:0',
    '--stop-runs',
  ];
  const server = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'ignore'] });
  stop = async () => {
    server.kill();
    await once(server, 'exit');
  };
  for await (const line of createInterface({ input: server.stdout })) {
    url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0] ?? '';
    if (url !== '') break;
  }
  await startDemoRuns(url);
  const answer = await fetch(`${url}/api/v1/runs?status=failed&limit=2`);
  failed = JSON.parse(await answer.text()).runs.map(({ run_id: id }: { readonly run_id: string }) => id);
});
afterAll(async () => {
  await stop();
  rmSync(dir, { recursive: true, force: true });
});

/** Each page, its heading, and what is there once its data is. */
const pages: readonly (readonly [path: string, heading: string, of: (page: Page) => Locator])[] = [
  ['/', 'Overview', (page) => page.getByRole('list', { name: 'Running' }).getByRole('link')],
  ['/runs', 'Runs', (page) => page.getByRole('checkbox', { name: /^Select run_/ })],
  [
    '/runs/FAILED',
    '',
    (page) => page.getByRole('log').getByRole('link', { name: /^Link to line/, includeHidden: true }),
  ],
  ['/runs/FAILED/log', 'Log', (page) => page.getByRole('log').locator('[data-line]')],
  ['/compare?a=FAILED&b=OTHER', 'Compare', (page) => page.getByRole('table').first()],
  ['/jobs', 'Jobs', (page) => page.getByRole('link', { name: 'deploy/api' })],
  ['/jobs/shop/release', '', (page) => page.getByRole('textbox', { name: 'version' })],
  ['/jobs/shop/release?tab=runs', '', (page) => page.getByRole('table').getByRole('link')],
  ['/jobs/shop/release?tab=graph', '', (page) => page.getByRole('list', { name: /Graph/ }).getByRole('listitem')],
  ['/jobs/shop/release?tab=code', '', (page) => page.getByRole('navigation', { name: 'Files' }).getByRole('link')],
  ['/jobs/shop/release?tab=schedules', '', (page) => page.getByRole('tabpanel')],
  ['/jobs/shop/release?tab=statistics', '', (page) => page.getByText('Slowest steps')],
  ['/schedules', 'Schedules', (page) => page.getByRole('table').getByRole('button')],
  ['/schedules?view=week', 'Schedules', (page) => page.getByText('Mon')],
  ['/approvals', 'Approvals', (page) => page.getByRole('button', { name: /Approve/ })],
  ['/admin/sources', 'Sources', (page) => page.getByText('shop-jobs')],
  ['/admin/tokens', 'Tokens', (page) => page.getByText('No tokens')],
  ['/admin/secrets', 'Secrets', (page) => page.getByRole('main').getByRole('button')],
  ['/admin/values', 'Key-value store', (page) => page.getByText('No values yet')],
  ['/admin/audit', 'Audit', (page) => page.getByText('run.create')],
  ['/admin/storage', 'Storage', (page) => page.getByText('Database')],
  ['/admin/doctor', 'Doctor', (page) => page.getByText('bubblewrap')],
  ['/admin/instance', 'Instance', (page) => page.getByText('Up for')],
];

testWith('chromium').each(pages)('%s can be used soon', async (path, heading, of) => {
  const at = path.replace('FAILED', failed[0] ?? '').replace('OTHER', failed[1] ?? '');
  await expectWithin(mostMs, () =>
    msOf(async () => {
      const page = await browser.open(url + at);
      await page.getByRole('heading', { level: 1, name: heading }).waitFor();
      await of(page).first().waitFor({ state: 'attached' });
    }),
  );
});
