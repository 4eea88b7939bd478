// What the console shows to users whose token lacks scopes.

import { afterAll, expect } from 'vitest';
import { startServing } from '../server/serving.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { testWith } from '../support/host.ts';
import { aBrowser } from './a-browser.ts';

const server = await startServing({
  authMode: 'required',
  executes: true,
  jobs: { 'demo/ask': { 'config.yaml': JSON.stringify({ steps: [{ id: 'gate', approval: { text: 'Go on?' } }] }) } },
});
afterAll(() => server.close());
const browser = aBrowser();
const { headers } = await server.token({ scopes: ['runs:write'] });
const made = await server.post('/runs', { job_id: 'demo/ask' }, headers);
const { run_id: runId }: { run_id: string } = JSON.parse(await made.text());
const looker = await server.token({ scopes: ['jobs:read', 'runs:read', 'artifacts:read'] });
const operator = await server.token({ scopes: ['jobs:read', 'runs:write', 'runs:approve'] });

async function signedIn(path: string, credential: string) {
  const page = await browser.open(server.url + path);
  await page.getByLabel('API token').fill(credential);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  return page;
}

testWith(headlessChromium)(
  'with a read-only token, a run that waits for approval is shown without buttons',
  async () => {
    const page = await signedIn(`/runs/${runId}`, looker.credential);
    await page.getByText(/Waiting for approval: Go on/).waitFor();
    await page.getByRole('link', { name: 'ask', exact: true }).first().waitFor();
    for (const name of ['Approve', 'Deny', 'Cancel']) expect(await page.getByRole('button', { name }).count()).toBe(0);
    expect(await page.getByRole('button', { name: /Run again/ }).count()).toBe(0);
  },
);

testWith(headlessChromium)('with a token that has the scopes of an operator, the buttons are shown', async () => {
  const page = await signedIn(`/runs/${runId}`, operator.credential);
  for (const name of ['Approve', 'Deny', 'Cancel']) await page.getByRole('button', { name }).waitFor();
});

testWith(headlessChromium)(
  'with a token that may only read and approve runs, only those buttons are shown',
  async () => {
    const approver = await server.token({ scopes: ['runs:read', 'runs:approve'] });
    const page = await signedIn(`/runs/${runId}`, approver.credential);
    await page.getByRole('button', { name: 'Approve' }).waitFor();
    expect(await page.getByRole('button', { name: 'Cancel' }).count()).toBe(0);
    expect(await page.getByRole('button', { name: /Run again/ }).count()).toBe(0);
  },
);

testWith(headlessChromium)('no button is shown before the scopes are known', async () => {
  const page = await signedIn(`/runs/${runId}`, operator.credential);
  await page.getByRole('button', { name: 'Cancel' }).waitFor();
  const askedFor = /\/api\/v1\/(?:health|system\/info)$/;
  await page.route(askedFor, (route) => route.abort());
  await page.reload();
  await page.getByText(/Waiting for approval: Go on/).waitFor();
  await page.getByRole('status').filter({ hasText: 'unreachable' }).waitFor();
  expect(await page.getByRole('button', { name: 'Cancel' }).count()).toBe(0);
  await page.unroute(askedFor);
  await page.getByRole('button', { name: 'Cancel' }).waitFor();
});

testWith(headlessChromium)(
  'a user whose token may not start runs is told so, and cannot select runs to cancel',
  async () => {
    const page = await signedIn('/jobs/demo/ask', looker.credential);
    await page.getByText('Your token does not let you start runs.').waitFor();
    expect(await page.getByRole('form', { name: 'Arguments' }).getByRole('button', { name: /^Run/ }).count()).toBe(0);
    await page.getByRole('link', { name: /^Runs/ }).click();
    await page.getByRole('table', { name: 'Runs' }).getByRole('link', { name: 'demo/ask' }).waitFor();
    // The runs can still be selected in order to compare them.
    await page.getByRole('checkbox', { name: 'Select all' }).check();
    const chosen = page.getByRole('region', { name: 'Chosen runs' });
    await chosen.getByRole('button', { name: 'Clear' }).waitFor();
    expect(await chosen.getByRole('button', { name: /Cancel|again|Retry/ }).count()).toBe(0);
  },
);

testWith(headlessChromium)(
  'pages of Admin that a token may not see are not shown, and a line says who may see them',
  async () => {
    const page = await signedIn('/admin', looker.credential);
    await page.getByRole('heading', { name: 'Webhooks', level: 1 }).waitFor();
    const nav = page.getByRole('navigation', { name: 'Admin' });
    await expect
      .poll(() => nav.getByRole('link').allTextContents())
      .toEqual(['Webhooks', 'Triggers', 'Channels', 'Doctor', 'Instance']);
    await nav.getByText(/Tokens \(admin\), Secrets \(secrets:write\)/).waitFor();
    await page.goto(`${server.url}/admin/secrets`);
    await page.getByText('To see Secrets, you need a token with the scope').waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);
  },
);

testWith(headlessChromium)(
  'a user whose token may only read runs is told which scope the other pages need',
  async () => {
    const { credential } = await server.token({ scopes: ['runs:read'] });
    const page = await signedIn('/jobs', credential);
    const refused = page.getByText("Your token does not let you see this. The caller lacks the scope 'jobs:read'.");
    for (const path of ['/jobs', '/schedules', '/jobs/demo/ask']) {
      await page.goto(server.url + path);
      await refused.waitFor();
      expect(await page.getByRole('alert').count()).toBe(0);
      expect(await page.getByRole('button', { name: /^New|^Add/ }).count()).toBe(0);
    }
    await page.goto(`${server.url}/admin`);
    await page.getByText('Your token does not let you see any of these pages.').waitFor();
    await page.getByText(/^Your token lacks the scopes for these pages: Sources \(sources:read\), /).waitFor();
  },
);

testWith(headlessChromium)('code in a message of the server is formatted as code', async () => {
  const page = await browser.open(`${server.url}/runs`);
  await page.getByRole('dialog', { name: 'Sign in' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('alert').locator('code', { hasText: 'flwd tokens create' }).waitFor();
  await page.goto(`${server.url}/docs`);
  await page.locator('code', { hasText: 'Idempotency-Key' }).first().waitFor();
  expect(await page.locator('body').textContent()).not.toContain('`');
});
