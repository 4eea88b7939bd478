// The pages of Admin: each change goes through the API, with the rights of the caller.

import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished } from 'vitest';
import { startServing } from '../server/serving.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { aBrowser, resize } from './a-browser.ts';
import { accessibilityErrors } from './accessibility-errors.ts';

const server = await startServing({
  jobs: {
    demo: bash('true'),
    broken: { 'config.yaml': 'command: [' },
    'deploy/api': bash('true', { env: { KEY: { secret: 'deploy-key' } } }),
    'deploy/web': bash('true', { env: { KEY: { secret: 'deploy-key' } } }),
  },
});
afterAll(() => server.close());
const browser = aBrowser();

const read = async <T>(path: string): Promise<T> => JSON.parse(await (await server.fetch(path)).text());
const put = (path: string, value: string) =>
  server.fetch(path, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ value }),
  });

testWith(headlessChromium)('a token is created by keyboard, shown once, used, and revoked', async () => {
  const page = await browser.open(`${server.url}/admin/tokens`);
  await page.getByRole('button', { name: 'New token' }).press('Enter');
  const form = page.getByRole('dialog', { name: 'New token' });
  await form.getByLabel('Name').fill('dashboard');
  await form.getByRole('checkbox', { name: 'jobs:read' }).press('Space');
  await form.getByRole('button', { name: 'Create the token' }).press('Enter');
  const shown = page.getByRole('dialog', { name: 'The token dashboard' });
  const secret = (await shown.locator('code').textContent()) ?? '';
  const headers = { authorization: `Bearer ${secret}`, 'x-forwarded-for': '203.0.113.7' };
  expect((await server.fetch('/jobs', { headers })).status).toBe(200);
  await shown.getByRole('button', { name: 'I have copied it' }).click();
  expect(await page.locator('body').textContent()).not.toContain(secret);
  expect(await read('/tokens')).toMatchObject({
    tokens: [{ name: 'dashboard', scopes: ['jobs:read'], expires_at: expect.any(String) }],
  });

  await page.getByRole('button', { name: 'Revoke… dashboard' }).click();
  await page.getByRole('button', { name: 'Revoke the token' }).click();
  await page
    .getByRole('row', { name: /dashboard/ })
    .getByText('revoked')
    .waitFor();
  expect((await server.fetch('/jobs', { headers })).status).toBe(401);
});

testWith(headlessChromium)(
  'a secret is set, replaced and deleted, its key is rotated, and its value is never shown',
  async () => {
    const page = await browser.open(`${server.url}/admin/secrets`);
    await page.getByRole('button', { name: 'Set a secret' }).click();
    const form = page.getByRole('dialog', { name: 'Set a secret' });
    await form.getByLabel('Name').fill('registry');
    await form.getByLabel('Value').fill('abc');
    await form.getByRole('button', { name: 'Set the secret' }).click();
    await form.getByRole('alert').filter({ hasText: '4 bytes' }).waitFor();
    await form.getByLabel('Value').fill('the-first-value');
    await form.getByRole('button', { name: 'Set the secret' }).click();
    const row = page.getByRole('row', { name: /registry/ });
    await row.getByRole('button', { name: 'Replace… registry' }).click();
    // A password field would join the lines of a pasted key.
    await page.getByLabel('Value').focus();
    await page.evaluate(`{
    const clipboardData = new DataTransfer();
    clipboardData.setData('text', 'the-second-value\\nof two lines\\n');
    document.activeElement.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
  }`);
    await expect.poll(() => page.getByLabel('Value').inputValue()).toBe('the-second-value\nof two lines\n');
    await page.getByRole('button', { name: 'Replace the value' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await page.locator('body').textContent()).not.toMatch(/the-(first|second)-value/);
    await page.getByRole('button', { name: 'Rotate the key…' }).click();
    await page.getByRole('button', { name: 'Rotate the key', exact: true }).click();
    await page.getByRole('status').filter({ hasText: 'now encrypts everything' }).waitFor();
    await row.getByRole('button', { name: 'Delete… registry' }).click();
    await page.getByRole('button', { name: 'Delete the secret' }).click();
    await row.waitFor({ state: 'detached' });
    expect(await read('/secrets')).toMatchObject({ total: 0 });
  },
);

testWith(headlessChromium)(
  'a secret links to the jobs that use it, and a missing secret that jobs name can be set',
  async () => {
    await put('/secrets/idle', 'a value');
    const page = await browser.open(`${server.url}/admin/secrets`);
    const missing = page.getByRole('region', { name: 'Not stored' });
    await expect
      .poll(() => missing.getByRole('listitem').textContent())
      .toMatch(/deploy-key.*deploy\/api.*deploy\/web/);
    await missing.getByRole('button', { name: 'Set… deploy-key' }).press('Enter');
    const form = page.getByRole('dialog', { name: 'Set a secret' });
    await expect.poll(() => form.getByLabel('Name').inputValue()).toBe('deploy-key');
    await form.getByLabel('Value').fill('some-value');
    await form.getByRole('button', { name: 'Set the secret' }).click();
    await missing.waitFor({ state: 'detached' });
    await page.getByRole('row', { name: /idle.*no job names it/ }).waitFor();
    await page
      .getByRole('row', { name: /deploy-key/ })
      .getByRole('link', { name: 'deploy/web' })
      .click();
    await page.waitForURL(/\/jobs\/deploy\/web$/);
  },
);

testWith(headlessChromium)('the list of tokens says which stored secrets a token may name', async () => {
  await server.token({ name: 'one-secret', scopes: ['runs:write'], secrets: ['deploy-key'] });
  await server.token({ name: 'no-secret', scopes: ['runs:write'], secrets: [] });
  const page = await browser.open(`${server.url}/admin/tokens`, { width: 1_440 });
  const table = page.getByRole('table', { name: 'Tokens' });
  await expect.poll(() => table.textContent()).toContain('runs:write, only the secrets deploy-key');
  await expect.poll(() => table.textContent()).toContain('runs:write, no stored secrets');
});

testWith(headlessChromium)('the audit log can be searched by caller, action and object, and verified', async () => {
  const { credential } = await server.token({ scopes: ['jobs:read'] });
  await server.fetch('/tokens', {
    headers: { authorization: `Bearer ${credential}`, 'x-forwarded-for': '203.0.113.7' },
  });
  await put('/secrets/searched', 'a value to find');
  const page = await browser.open(`${server.url}/admin/audit`, { width: 1_440 });
  const rows = page.getByRole('table', { name: 'Audit log' }).getByRole('row');
  await page.getByLabel('Object').fill('searched');
  await expect.poll(() => rows.count()).toBe(2);
  await expect.poll(() => rows.nth(1).textContent()).toContain('secret.set');
  await page.reload();
  await expect.poll(() => rows.count()).toBe(2);
  await page.getByLabel('Object').fill('');
  await page.getByRole('combobox', { name: 'What' }).click();
  await page.getByRole('option', { name: 'secret.set' }).click();
  await expect.poll(() => page.url()).toContain('action=secret.set');
  await page.getByLabel('Who').fill('nobody');
  await page.getByText('No entry matches.').waitFor();
  await page.getByRole('button', { name: 'Verify' }).click();
  await page
    .getByRole('status')
    .filter({ hasText: /\d+ entries, unchanged/ })
    .waitFor();
  const { run_id: runId } = JSON.parse(await (await server.post('/runs', { job_id: 'demo' })).text());
  await page.goto(`${server.url}/admin/audit?action=run.create`);
  const link = page.getByRole('link', { name: `run_…${runId.slice(-8)}`, exact: true });
  await expect.poll(() => link.getAttribute('title')).toContain(runId);
  await page.getByRole('cell', { name: `run_…${runId.slice(-8)} demo`, exact: true }).waitFor();
  await resize(page, 390, 844);
  await page.getByRole('button', { name: 'Filter, 1 set' }).click();
  await page.getByRole('combobox', { name: 'What' }).waitFor();
  await page.reload();
  const chosen = page.getByRole('navigation', { name: 'Admin' }).getByRole('link', { name: 'Audit' });
  await expect.poll(async () => ((await chosen.boundingBox())?.x ?? 390) < 300).toBe(true);
});

testWith(headlessChromium)(
  'the page of storage says how long data is kept, and removes data that has expired',
  async () => {
    const page = await browser.open(`${server.url}/admin/storage`);
    await page.getByRole('region', { name: 'Kept for' }).getByText('Audit log').waitFor();
    await page
      .getByRole('region', { name: 'Sizes' })
      .getByText(/^0 B of .* for artifacts/)
      .waitFor();
    await page
      .getByRole('region', { name: 'Sizes' })
      .getByText(/^[\d.]+ \w+ free$/)
      .waitFor();
    await page.getByRole('button', { name: 'Preview' }).click();
    await page.getByText('No data has expired.').waitFor();
    await page.getByRole('button', { name: 'Remove now…' }).click();
    await page.getByRole('button', { name: 'Remove it' }).click();
    await page.getByText('No data had expired.').waitFor();
    // Each kind of data has the same name in both cards.
    await page.route('**/system/gc?*', async (route) => {
      const answer: { readonly removed: object } = await (await route.fetch()).json();
      await route.fulfill({ json: { ...answer, removed: { ...answer.removed, snapshots: 2, stats: 3 } } });
    });
    await page.getByRole('button', { name: 'Preview' }).press('Enter');
    await page.getByText('Would be removed: 2 snapshots, 3 statistics').waitFor();
  },
);

testWith(headlessChromium)(
  'the page of the instance says whether the host can enforce each profile, and which setting allows it',
  async () => {
    const page = await browser.open(`${server.url}/admin/instance`);
    const profiles = page.getByRole('region', { name: 'Security profiles' });
    await profiles
      .getByText(/^can(not)? be enforced on this host/)
      .first()
      .waitFor();
    await profiles.getByText('allowed: security.allow_profiles in flwd.yaml').waitFor();
  },
);

testWith(headlessChromium)('a source says how many of its jobs are invalid; a value is set and deleted', async () => {
  const page = await browser.open(`${server.url}/admin`);
  await page
    .getByRole('row', { name: /local-fs/ })
    .getByText('1 invalid job')
    .waitFor();
  await page.getByRole('button', { name: 'Read again: local-fs' }).press('Enter');
  await page.getByRole('status').filter({ hasText: 'local-fs was read again: 3 jobs, 1 invalid job.' }).waitFor();
  await page.getByRole('link', { name: 'Key-value store' }).click();
  await page.getByRole('button', { name: 'Set a value' }).click();
  await page.getByLabel('Namespace').fill('demo');
  await page.getByLabel('Key').fill('last');
  await page.getByRole('textbox', { name: 'Value' }).fill('für später');
  await page.getByRole('button', { name: 'Set the value' }).click();
  await page.getByRole('row', { name: /last/ }).waitFor();
  const { value } = await read<{ value: string }>('/kv/demo/last');
  expect(Buffer.from(value, 'base64').toString()).toBe('für später');
  await page.getByRole('button', { name: 'Delete… last' }).click();
  await page.getByRole('button', { name: 'Delete the key' }).click();
  await expect.poll(async () => (await server.fetch('/kv/demo/last')).status).toBe(404);
});

testWith(headlessChromium)(
  'a value is loaded only when its key is opened, also by keyboard, and is shown as text',
  async () => {
    const values = [
      ['plain', 'first <b>line</b>\nsecond \u202eline'],
      ['json', '{"recall":0.87,"tags":["a b"]}'],
      ['rounded', '{"id":12345678901234567890}'],
      ['binary', Buffer.from([0xff, 0x00, 0x80])],
    ] as const;
    for (const [key, value] of values) await put(`/kv/reader/${key}`, Buffer.from(value).toString('base64'));
    const page = await browser.open(`${server.url}/admin/values?namespace=reader`);
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    const dialogOf = (key: string) => page.getByRole('dialog', { name: `Value of ${key}` });
    const opener = page.getByRole('button', { name: 'Value of plain' });
    await opener.waitFor();
    expect(asked.filter((path) => path.includes('/kv/reader/'))).toEqual([]);
    await opener.press('Enter');
    await dialogOf('plain').getByRole('region', { name: 'Value' }).waitFor();
    const shown = (key: string) => dialogOf(key).getByRole('region', { name: 'Value' }).textContent();
    expect(await shown('plain')).toBe('first <b>line</b>\nsecond \ufffdline');
    expect(await accessibilityErrors(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await dialogOf('plain').waitFor({ state: 'detached' });
    await expect.poll(() => page.locator('button:focus').getAttribute('aria-label')).toBe('Value of plain');

    await page.getByRole('button', { name: 'Value of json' }).click();
    expect(await shown('json')).toBe('{\n  "recall": 0.87,\n  "tags": [\n    "a b"\n  ]\n}');
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await dialogOf('json').getByRole('button', { name: 'Copy the value' }).click();
    await expect.poll(() => page.evaluate('navigator.clipboard.readText()')).toBe('{"recall":0.87,"tags":["a b"]}');
    await dialogOf('json').getByRole('button', { name: 'Close' }).click();
    await page.getByRole('button', { name: 'Value of rounded' }).click();
    expect(await shown('rounded')).toBe('{"id":12345678901234567890}');
    await dialogOf('rounded').getByRole('button', { name: 'Close' }).click();
    await page.getByRole('button', { name: 'Value of binary' }).click();
    await dialogOf('binary').getByText('3 B, binary').waitFor();
    await dialogOf('binary').getByRole('button', { name: 'Copy as base64' }).waitFor();
  },
);

testWith(headlessChromium)('at 1,440 pixels, the path of a source is shown in full', async () => {
  const page = await browser.open(`${server.url}/admin/sources`, { width: 1_440 });
  await page.getByRole('cell').getByTitle(server.root).waitFor();
  const cell = `document.querySelector('[title^="${server.root}"]').closest('td')`;
  expect(await page.evaluate(`${cell}.scrollWidth - ${cell}.clientWidth`)).toBe(0);
});

testWith(headlessChromium)('on a phone, sources and values show the same facts and buttons as the table', async () => {
  await put('/kv/phone/one', '');
  const page = await browser.open(`${server.url}/admin/sources`, { width: 390 });
  const source = page.getByRole('row', { name: /local-fs.*1 invalid job.*trusted, \// });
  await source.getByRole('button', { name: 'Read again: local-fs' }).click();
  await page.goto(`${server.url}/admin/values?namespace=phone`);
  const value = page.getByRole('row', { name: /3 B, changed .*, never expires/ });
  await value.getByRole('button', { name: 'Value of one' }).waitFor();
  await value.getByRole('button', { name: 'Delete… one' }).click();
  await page.getByRole('button', { name: 'Delete the key' }).click();
  await expect.poll(async () => (await server.fetch('/kv/phone/one')).status).toBe(404);
});

testWith(headlessChromium)(
  'the page of sources counts invalid jobs, and the doctor names them and can check again',
  async () => {
    const page = await browser.open(`${server.url}/admin/sources`);
    const admin = page.getByRole('navigation', { name: 'Admin' });
    await page.getByRole('row', { name: /local-fs.*Watched 1 invalid job/ }).waitFor();
    expect(await admin.getByRole('link', { name: 'Sources' }).textContent()).toBe('Sources');
    await admin.getByRole('link', { name: 'Doctor' }).click();
    const checks = page.getByRole('region', { name: 'Server' });
    await checks
      .getByRole('listitem')
      .filter({ hasText: /OK.*sources.*1 invalid job/ })
      .waitFor();
    await page.getByRole('region', { name: 'Jobs' }).getByText('1 job is broken, so nothing can start it: ').waitFor();
    await checks.getByText(/checked at \d\d:\d\d:\d\d/).waitFor();
    const answered = page.waitForResponse((response) => response.url().endsWith('/health'));
    await checks.getByRole('button', { name: 'Check again' }).click();
    expect((await answered).status()).toBe(200);
  },
);

testWith(headlessChromium)('a source whose folder is missing is marked, and the doctor names it', async () => {
  const [jobs, away] = [join(server.root, 'jobs'), join(server.root, 'away')];
  renameSync(jobs, away);
  onTestFinished(() => renameSync(away, jobs));
  const missing = { sources: [{ name: 'local-fs', is_missing: true }] };
  await expect.poll(() => read('/sources')).toMatchObject(missing);
  const page = await browser.open(`${server.url}/admin/sources`);
  await page.getByRole('row', { name: /local-fs.*Missing/ }).waitFor();
  const admin = page.getByRole('navigation', { name: 'Admin' });
  await admin.getByRole('link', { name: /Sources.*1 missing folder/ }).waitFor();
  await page.goto(`${server.url}/admin/doctor`);
  const checks = page.getByRole('region', { name: 'Server' });
  await checks
    .getByRole('listitem')
    .filter({ hasText: /sources.*the folder of jobs is missing or cannot be read: local-fs/ })
    .waitFor();
});
