// Takes the pictures of the console: starts a server on an instance that looks as after a month of use, and opens it in
// Chromium. `npm run screenshots` writes the pictures and the recording that the documentation shows (docs/images);
// `npm run screenshots DIR` writes every page at three widths in both themes, to look at them, and `npm run screenshots
// DIR run job-code` only these. The recording needs ffmpeg.

import { createHmac } from 'node:crypto';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser, Page, Request } from 'playwright-core';
import { buildConsole } from '../build-console.ts';
import { startDemoServer } from '../test/support/demo-server.ts';
import { launchChromium } from '../test/support/headless-chromium.ts';
import { record } from './recording.ts';

const images = join(import.meta.dirname, 'images');

type Theme = 'light' | 'dark';
type Shot = {
  readonly name: string;
  readonly path: string;
  /** A button to press once it is there. */
  readonly press?: string;
  /** Appears when the page has its content. */
  readonly text: string | RegExp;
};

const heights = { 1440: 900, 1024: 768, 390: 844 } as const;
type Width = keyof typeof heights;
const widths: readonly Width[] = [1440, 1024, 390];

/** The pages, with the ids of a failed run, of a successful one of the same job, and of one that runs. */
function pagesWith({
  failed,
  successful,
  running,
}: Record<'failed' | 'successful' | 'running', string>): readonly Shot[] {
  return [
    { name: 'overview', path: '/', text: 'Runs per hour' },
    { name: 'runs', path: '/runs', text: 'shop/release' },
    { name: 'runs-query', path: '/runs?q=status%3Afailed%20since%3A24h', text: 'Failed' },
    { name: 'run', path: `/runs/${failed}`, text: 'AssertionError' },
    { name: 'run-live', path: `/runs/${running}`, text: 'Running' },
    { name: 'log', path: `/runs/${failed}/log`, text: 'AssertionError' },
    { name: 'compare', path: `/compare?a=${successful}&b=${failed}`, text: 'AssertionError' },
    { name: 'jobs', path: '/jobs', text: 'backup/pg-nightly' },
    { name: 'job', path: '/jobs/shop/release', text: 'What would happen' },
    { name: 'job-statistics', path: '/jobs/shop/release?tab=statistics', text: 'Duration' },
    { name: 'job-graph', path: '/jobs/shop/release?tab=graph', text: 'checkout' },
    { name: 'job-runs', path: '/jobs/shop/release?tab=runs', text: 'Failed' },
    { name: 'job-code', path: '/jobs/shop/release?tab=code', text: 'config.yaml' },
    { name: 'job-tests', path: '/jobs/shop/release?tab=tests', text: 'This job has no tests.' },
    { name: 'job-schedules', path: '/jobs/backup/pg-nightly?tab=schedules', text: 'Every day' },
    { name: 'schedules', path: '/schedules', text: 'Every day' },
    { name: 'schedules-week', path: '/schedules?view=week', text: /Mon/ },
    { name: 'approvals', path: '/approvals', text: 'Approve' },
    { name: 'failures', path: '/failures', text: 'AssertionError' },
    { name: 'logs', path: '/logs?q=error', text: 'the search is complete' },
    { name: 'admin-sources', path: '/admin/sources', text: 'shop-jobs' },
    { name: 'admin-webhooks', path: '/admin/webhooks', text: 'refused' },
    {
      name: 'admin-deliveries',
      path: '/admin/webhooks',
      press: 'Deliveries of shop/feature-flags/flags',
      text: 'checkout-v2',
    },
    { name: 'admin-triggers', path: '/admin/triggers', text: 'ops/certificates' },
    { name: 'admin-channels', path: '/admin/channels', text: 'ops-slack' },
    { name: 'admin-secrets', path: '/admin/secrets', text: 'deploy-key' },
    { name: 'admin-values', path: '/admin/values', text: 'last-export' },
    { name: 'admin-doctor', path: '/admin/doctor', text: 'bubblewrap' },
    { name: 'admin-instance', path: '/admin/instance', text: 'Version' },
    { name: 'admin-tokens', path: '/admin/tokens', text: 'prometheus' },
    { name: 'admin-audit', path: '/admin/audit', text: 'run.create' },
    { name: 'admin-storage', path: '/admin/storage', text: 'Database' },
  ];
}

/** The pictures of README and docs/console.md. */
const shown: readonly (readonly [name: string, page: string, width: Width, theme: Theme])[] = [
  ['overview', 'overview', 1440, 'light'],
  ['overview-dark', 'overview', 1440, 'dark'],
  ['jobs', 'jobs', 1440, 'light'],
  ['job', 'job', 1440, 'light'],
  ['runs', 'runs', 1440, 'light'],
  ['run', 'run', 1440, 'light'],
  ['run-phone', 'run', 390, 'dark'],
  ['schedules', 'schedules-week', 1440, 'light'],
  ['approvals', 'approvals', 1440, 'light'],
  ['failures', 'failures', 1440, 'light'],
  ['logs', 'logs', 1440, 'light'],
  ['deliveries', 'admin-deliveries', 1440, 'light'],
];

async function takeShot(browser: Browser, shot: Shot, width: Width, theme: Theme, file: string): Promise<void> {
  const viewport = { width, height: heights[width] };
  const page = await browser.newPage({ viewport, colorScheme: theme, reducedMotion: 'reduce', hasTouch: width < 700 });
  const isIdle = watchRequests(page);
  await page.goto(base + shot.path);
  if (shot.press !== undefined) await page.getByRole('button', { name: shot.press }).click();
  await settled(page, shot);
  // An answer may lead to the next request.
  for (let idleLooks = 0; idleLooks < 3; idleLooks = isIdle() ? idleLooks + 1 : 0) await delay(100);
  await page.screenshot({ path: file });
  await page.close();
}

/** Streams of events do not count: they never end. */
function watchRequests(page: Page): () => boolean {
  const open = new Set<Request>();
  page.on('request', (request) => open.add(request));
  page.on('requestfinished', (request) => open.delete(request));
  page.on('requestfailed', (request) => open.delete(request));
  page.on('response', (response) => {
    if (response.headers()['content-type']?.startsWith('text/event-stream')) open.delete(response.request());
  });
  return () => open.size === 0;
}

async function settled(page: Page, { name, text }: Shot): Promise<void> {
  await page
    .getByText(text)
    .first()
    .waitFor({ state: 'attached' })
    .catch(() => console.warn(`${name}: there is no “${String(text)}” on the page`));
  const loading = page.getByText(/^(Loading|Comparing|checking).*…$/);
  while ((await loading.count()) > 0) await loading.first().waitFor({ state: 'detached' });
  await page.evaluate('document.fonts.ready');
}

async function send<T>(method: string, path: string, body: object): Promise<T> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${base}/api/v1${path}`, { method, headers, body: JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

const pushSecret = 'the value of docs-push';

/** What other services have sent: pushes and a ping of a repository, and a webhook that somebody has made. */
async function addDeliveries(): Promise<void> {
  for (const event of ['push', 'ping', 'push']) {
    const body = JSON.stringify({ ref: 'refs/heads/main', after: '9f31c2e4', at: performance.now() });
    const proof = `sha256=${createHmac('sha256', pushSecret).update(body).digest('hex')}`;
    await deliver('/hooks/build/docs-site/push', body, { 'x-github-event': event, 'x-hub-signature-256': proof });
  }
  const { hook } = await send<{ hook: string }>('POST', '/webhooks', {
    job_id: 'shop/feature-flags',
    name: 'flags',
    args: { flag: 'body.flag', on: 'body.percent' },
  });
  for (const percent of [25, 50, 120]) await deliver(hook, JSON.stringify({ flag: 'checkout-v2', percent }));
}

/** The server may refuse it: that is in the list of deliveries, too. */
async function deliver(path: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<void> {
  const answer = await fetch(base + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
  await answer.arrayBuffer();
}

/** What an administrator of the shop has set. */
async function addSettings(): Promise<void> {
  const secrets = {
    'deploy-key': 'the value of deploy-key',
    'crm-token': 'the value of crm-token',
    'pg-password': 'the value of pg-password',
    'slack-ops': 'https://hooks.slack.example.org/services/T024',
    'docs-push': pushSecret,
  };
  for (const [name, value] of Object.entries(secrets)) await send('PUT', `/secrets/${name}`, { value });
  for (const [key, value] of [
    ['data/last-export', '2026-11-27T22:00:00Z'],
    ['data/cursor', '4182771'],
    ['data/model', '{"version": "2026-11-20", "recall": 0.87}'],
  ] as const)
    await send('PUT', `/kv/${key}`, { value: Buffer.from(value).toString('base64') });
  await send('POST', '/tokens', { name: 'ci-helper', scopes: ['jobs:read', 'runs:write'], expires_in: '90d' });
  await send('POST', '/tokens', { name: 'prometheus', scopes: ['metrics:read'] });
  await send('POST', '/tokens', { name: 'mara.lindt', scopes: ['runs:read', 'runs:write', 'runs:approve'] });
}

async function lastRun(query: string): Promise<string> {
  const answer = await fetch(`${base}/api/v1/runs?limit=1&${query}`);
  return JSON.parse(await answer.text()).runs[0].run_id;
}

const [target, ...names] = process.argv.slice(2);
await buildConsole();
const server = await startDemoServer(mkdtempSync(join(tmpdir(), 'flwd-pictures-')));
const base = server.url;
const browser = await launchChromium();
try {
  await addSettings();
  await addDeliveries();
  const pages = pagesWith({
    failed: await lastRun('job_id=shop%2Frelease&status=failed'),
    successful: await lastRun('job_id=shop%2Frelease&status=success'),
    running: await lastRun('job_id=ml%2Fembed-products&status=running'),
  });
  if (target === undefined) {
    mkdirSync(images, { recursive: true });
    for (const [name, of, width, theme] of shown) {
      const shot = pages.find((page) => page.name === of);
      if (shot) await takeShot(browser, shot, width, theme, join(images, `${name}.png`));
    }
    await record(browser, { base, jobsDir: server.jobsDir, file: join(images, 'fix-a-failure.gif') });
  } else {
    mkdirSync(resolve(target), { recursive: true });
    for (const shot of pages.filter(({ name }) => names.length === 0 || names.includes(name)))
      for (const width of widths)
        for (const theme of ['light', 'dark'] as const)
          await takeShot(browser, shot, width, theme, join(resolve(target), `${shot.name}.${width}.${theme}.png`));
  }
} finally {
  await browser.close();
  await server.stop();
}
