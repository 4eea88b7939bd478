// Lists every page of the console on the demo instance, and says when each can be used.

import type { Locator, Page } from 'playwright-core';

/** A server of the demo instance, and two failed runs on it. */
type Demo = { readonly url: string; readonly failed: readonly string[] };

export type DemoPage = readonly [path: string, heading: string, of: (page: Page) => Locator];

/** For each page: its path, its heading, and an element that appears once its data is loaded. */
export const demoPages: readonly DemoPage[] = [
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
  ['/jobs/shop/release?tab=tests', '', (page) => page.getByText('This job has no tests.')],
  ['/jobs/shop/release?tab=schedules', '', (page) => page.getByRole('tabpanel')],
  ['/jobs/shop/release?tab=statistics', '', (page) => page.getByText('Slowest steps')],
  ['/schedules', 'Schedules', (page) => page.getByRole('table').getByRole('button')],
  ['/schedules?view=week', 'Schedules', (page) => page.getByText('Mon')],
  ['/approvals', 'Approvals', (page) => page.getByRole('button', { name: /Approve/ })],
  ['/failures', 'Failures', (page) => page.getByRole('table').getByRole('link')],
  ['/logs?q=error', 'Logs', (page) => page.getByRole('list', { name: 'Lines' }).getByRole('link')],
  ['/admin/sources', 'Sources', (page) => page.getByText('shop-jobs')],
  ['/admin/webhooks', 'Webhooks', (page) => page.getByRole('table').getByRole('button')],
  ['/admin/triggers', 'Triggers', (page) => page.getByRole('table').getByRole('link')],
  ['/admin/channels', 'Channels', (page) => page.getByRole('table').getByRole('row')],
  ['/admin/tokens', 'Tokens', (page) => page.getByText('No tokens')],
  ['/admin/secrets', 'Secrets', (page) => page.getByRole('main').getByRole('button')],
  ['/admin/values', 'Key-value store', (page) => page.getByText('No values yet')],
  ['/admin/audit', 'Audit', (page) => page.getByText('run.create')],
  ['/admin/storage', 'Storage', (page) => page.getByText('Database')],
  ['/admin/doctor', 'Doctor', (page) => page.getByText('bubblewrap')],
  ['/admin/instance', 'Instance', (page) => page.getByText('Up for')],
];

/**
 * Opens a page, and returns when its data can be used. FAILED and OTHER in its path are replaced by two failed runs.
 */
export async function openDemoPage(page: Page, { url, failed }: Demo, [path, heading, of]: DemoPage): Promise<void> {
  await page.goto(url + path.replace('FAILED', failed[0] ?? '').replace('OTHER', failed[1] ?? ''));
  await page.getByRole('heading', { level: 1, name: heading }).waitFor();
  await of(page).first().waitFor({ state: 'attached' });
}
