// The pages about what starts jobs and what reports on them: webhooks, triggers and channels.

import { afterAll, expect } from 'vitest';
import { createId } from '../../src/lib/ids.ts';
import { startServing } from '../server/serving.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { aBrowser, resize } from './a-browser.ts';
import { accessibilityErrors } from './accessibility-errors.ts';

const jobs = {
  'site/deploy': bash('true', {
    args: [{ name: 'ref', required: true, pattern: '^refs/' }, { name: 'note' }],
    webhooks: [{ name: 'push', scheme: 'github', secret: 'key', args: { ref: 'body.ref' } }],
  }),
  report: bash('true', { triggers: [{ job: 'site/deploy' }, { job: 'no/such', if: 'run.args.ref == "x"' }] }),
};
const server = await startServing({ jobs });
afterAll(() => server.close());
const browser = aBrowser();

const read = async <T>(path: string): Promise<T> => JSON.parse(await (await server.fetch(path)).text());
const json = (body: object) => ({
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});
const deliver = (address: string, body: object) => fetch(address, { method: 'POST', ...json(body) });
const made = async (
  webhook: object,
  { fetch: send } = server,
): Promise<{ readonly id: string; readonly hook: string }> =>
  JSON.parse(await (await send('/webhooks', { method: 'POST', ...json(webhook) })).text());

testWith(headlessChromium)('at 1,440 pixels, the address of a webhook is shown in full', async () => {
  const page = await browser.open(`${server.url}/admin/webhooks`, { width: 1_440 });
  await page.getByTitle('/hooks/site/deploy/push').waitFor();
  const address = `document.querySelector('[title="/hooks/site/deploy/push"]')`;
  expect(await page.evaluate(`${address}.scrollWidth - ${address}.clientWidth`)).toBe(0);
});

testWith(headlessChromium)(
  'a webhook is created by keyboard and its address shown once; its deliveries can be repeated, and it can be removed',
  async () => {
    const page = await browser.open(`${server.url}/admin/webhooks`);
    await page.getByRole('button', { name: 'New webhook' }).press('Enter');
    const form = page.getByRole('dialog', { name: 'New webhook' });
    // The selected option is aligned with the text of the other fields.
    const ways = form.getByRole('combobox', { name: 'How the service signs' });
    const [box, text] = [await ways.boundingBox(), await ways.locator('span').first().boundingBox()];
    expect(box && text && text.x - box.x).toBeLessThan(10);
    const job = form.getByRole('combobox', { name: 'Job' });
    await job.fill('site');
    await page.getByRole('option', { name: 'site/deploy' }).waitFor();
    await job.press('ArrowDown');
    await job.press('Enter');
    await form.getByLabel('Name', { exact: true }).fill('form');
    const ref = form.getByLabel('ref');
    await ref.fill('body.reff +');
    await form.getByRole('button', { name: 'Create the webhook' }).press('Enter');
    await form.getByRole('alert').waitFor();
    await ref.fill('body.ref');
    expect(await accessibilityErrors(page)).toEqual([]);
    await form.getByRole('button', { name: 'Create the webhook' }).press('Enter');

    const shown = page.getByRole('dialog', { name: 'The webhook form' });
    await shown.getByText('at most 10 times a minute').waitFor();
    const address = (await shown.locator('code').textContent()) ?? '';
    expect(address).toMatch(new RegExp(`^${server.url}/hooks/flwd_hook_`));
    expect(await accessibilityErrors(page)).toEqual([]);
    await shown.getByRole('button', { name: 'I have copied it' }).press('Enter');
    await shown.waitFor({ state: 'detached' });
    expect(await page.locator('body').textContent()).not.toContain(address);

    expect((await deliver(address, { ref: 'refs/heads/main' })).status).toBe(202);
    expect((await deliver(address, { ref: 'main' })).status).toBe(400);
    await page.reload();
    const row = page.getByRole('row', { name: /site\/deploy form not signed/ });
    await row.getByText('refused').waitFor();
    await row.getByRole('button', { name: 'Deliveries of site/deploy/form' }).press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Deliveries of site/deploy/form' });
    const deliveries = dialog.getByRole('list', { name: 'Deliveries' }).getByRole('listitem');
    await expect.poll(() => deliveries.count()).toBe(2);
    await expect.poll(() => deliveries.first().textContent()).toMatch(/refused.*"ref":"main".*\/args\/ref/);
    const started = deliveries.filter({ hasText: 'started' });
    await started.getByRole('button', { name: 'Send again' }).press('Enter');
    await dialog.getByRole('status').getByRole('link').waitFor();
    expect(await accessibilityErrors(page)).toEqual([]);
    expect(await read('/runs?job_id=site/deploy')).toMatchObject({ total: 2 });
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });

    await row.getByRole('button', { name: 'Remove… site/deploy/form' }).press('Enter');
    await page.getByRole('button', { name: 'Remove the webhook' }).press('Enter');
    await row.waitFor({ state: 'detached' });
    expect((await deliver(address, { ref: 'refs/heads/main' })).status).toBe(404);
    const ofFile = page.getByRole('row', { name: /site\/deploy push github/ });
    await ofFile.getByRole('button', { name: /Deliveries/ }).waitFor();
    expect(await ofFile.getByRole('button', { name: /Remove/ }).all()).toEqual([]);
  },
);

testWith(headlessChromium)('the doctor names webhooks that lack a secret or refused the last delivery', async () => {
  await using own = await startServing({ jobs });
  const strict = { job_id: 'site/deploy', name: 'strict', args: { ref: 'body.ref' } };
  const [ours, theirs] = [await made(strict, own), await made({ ...strict, tenant: 'other' }, own)];
  for (const { hook } of [ours, theirs]) expect((await deliver(own.url + hook, { ref: 'main' })).status).toBe(400);
  const page = await browser.open(`${own.url}/admin/doctor`);
  const checks = page.getByRole('region', { name: 'Webhooks' }).getByRole('listitem');
  const refused = ({ id }: { readonly id: string }) =>
    expect.stringMatching(
      new RegExp(`^Warningsite/deploy/strictrefused the last delivery: /args/ref .*→ flwd webhooks deliveries ${id}$`),
    );
  await expect
    .poll(async () => (await checks.allTextContents()).toSorted())
    .toEqual([
      'Warningsite/deploy/pushlacks the secret key→ flwd secrets set key',
      ...[ours, theirs].toSorted((a, b) => (a.id < b.id ? -1 : 1)).map(refused),
    ]);
  await page.getByRole('link', { name: /^Doctor \d checks need attention$/ }).waitFor();
  expect(await accessibilityErrors(page)).toEqual([]);

  await own.fetch('/secrets/key', { method: 'PUT', ...json({ value: 'of-the-sender' }) });
  for (const { hook } of [ours, theirs]) {
    expect((await deliver(own.url + hook, { ref: 'refs/heads/main' })).status).toBe(202);
  }
  await page.getByRole('button', { name: 'Check again' }).press('Enter');
  await expect.poll(() => checks.allTextContents()).toEqual(['OKwebhooks3 webhooks']);
});

testWith(headlessChromium)(
  'while all webhooks are paused, the doctor still names those that lack a secret',
  async () => {
    await using paused = await startServing({ jobs, triggersPaused: true });
    const page = await browser.open(`${paused.url}/admin/doctor`);
    const checks = page.getByRole('region', { name: 'Webhooks' }).getByRole('listitem');
    await expect
      .poll(() => checks.allTextContents())
      .toEqual(['Warningsite/deploy/pushlacks the secret key→ flwd secrets set key']);
  },
);

testWith(headlessChromium)('a webhook says why it refused the last delivery, or which secret it lacks', async () => {
  const { id, hook } = await made({ job_id: 'site/deploy', name: 'picky', args: { ref: 'body.ref' } });
  expect((await deliver(server.url + hook, { ref: 'main' })).status).toBe(400);
  const page = await browser.open(`${server.url}/admin/webhooks`);
  const why = { picky: '/args/ref must match the pattern "^refs/"', push: 'lacks the secret key' };
  await page
    .getByRole('row', { name: /site\/deploy picky/ })
    .getByText(why.picky)
    .waitFor();
  await page
    .getByRole('row', { name: /site\/deploy push/ })
    .getByText(why.push)
    .waitFor();
  expect(await accessibilityErrors(page)).toEqual([]);
  // The end of the text says what to do, so it must not be cut off.
  const lacks = `document.querySelector('[title^="lacks the secret key"]')`;
  for (const [width, height] of [
    [1_440, 900],
    [900, 900],
    [390, 844],
  ] as const) {
    await resize(page, width, height);
    const cut = `(({ scrollHeight, clientHeight, scrollWidth, clientWidth }) =>
      [scrollHeight - clientHeight, scrollWidth - clientWidth])(${lacks})`;
    expect(await page.evaluate(cut), `${width}`).toEqual([0, 0]);
  }
  // On a phone, the reasons are on lines of their own.
  const line = page.getByRole('row').getByText(why.picky);
  const [chip, text] = [await page.getByText('refused').last().boundingBox(), await line.boundingBox()];
  expect(chip && text && text.y >= chip.y + chip.height).toBe(true);
  await server.fetch(`/webhooks/${id}`, { method: 'DELETE' });
});

testWith(headlessChromium)('a caller who may only read is offered no actions that change something', async () => {
  await using guarded = await startServing({
    authMode: 'required',
    jobs: { 'site/deploy': bash('true', { webhooks: [{ name: 'push', scheme: 'github', secret: 'key' }] }) },
  });
  const { credential } = await guarded.token({ scopes: ['jobs:read'] });
  const page = await browser.open(`${guarded.url}/admin/webhooks`);
  await page.getByLabel('API token').fill(credential);
  await page.getByLabel('API token').press('Enter');
  await page.getByRole('row', { name: /site\/deploy push github/ }).waitFor();
  const main = page.getByRole('main');
  expect(await main.getByRole('button', { name: /New webhook|Deliveries|Remove/ }).all()).toEqual([]);
  // A caller who may not read runs and does not administer the instance sees neither deliveries nor pending messages.
  expect(await main.getByText('no delivery yet').count()).toBe(0);
  const answered = page.waitForResponse((response) => response.url().endsWith('/channels'));
  await page.getByRole('link', { name: /^Doctor/ }).press('Enter');
  expect((await answered).status()).toBe(200);
  await page.getByText('Loading channels').waitFor({ state: 'detached' });
  await page.getByRole('region', { name: 'Webhooks' }).getByText('lacks the secret key').waitFor();
  expect(await page.getByRole('region', { name: 'Channels' }).count()).toBe(0);
  await page.getByRole('link', { name: 'Channels' }).press('Enter');
  await page.getByRole('row', { name: 'team slack not shown no notification that you may see' }).waitFor();
});

testWith(headlessChromium)(
  'triggers are listed with a note about a missing job, and channels can be tested',
  async () => {
    const page = await browser.open(`${server.url}/admin/triggers`);
    const rows = page.getByRole('table', { name: 'Triggers' }).getByRole('row');
    await expect.poll(() => rows.count()).toBe(3);
    await rows.filter({ hasText: 'no/such: this job does not exist' }).waitFor();
    await rows.getByRole('link', { name: 'site/deploy' }).click();
    await page.waitForURL(/\/jobs\/site\/deploy$/);

    await page.goto(`${server.url}/admin/channels`);
    await page.getByRole('button', { name: 'Test team' }).press('Enter');
    await page.getByRole('status').filter({ hasText: 'team: ' }).waitFor();
    expect(await accessibilityErrors(page)).toEqual([]);
  },
);

testWith(headlessChromium)('a channel whose messages cannot be sent says how many wait, and why', async () => {
  const { id: runId } = await server.addRun();
  const { db, notifications } = server.store;
  const atMs = Date.now();
  const added = { id: createId('notice', atMs), runId, eventId: 1, n: 0, event: 'failed', stepId: null } as const;
  const to = { failures: 1, channel: 'team', webhook: null, createdAtMs: atMs, dueAtMs: atMs, isInDigest: false };
  const error = "there is no stored secret 'token-of-the-team': store it with flwd secrets set token-of-the-team";
  const attempt = { status: 'pending', attempts: 1, error, takenBy: [], nextAtMs: atMs + 60_000, atMs } as const;
  const ofJob = {
    ...added,
    ...to,
    id: createId('notice', atMs),
    n: 1,
    channel: null,
    webhook: 'https://example.org/T0KEN',
  };
  await db.transact(async (tx) => {
    await notifications.add(tx, [{ ...added, ...to }, ofJob]);
    await notifications.settle(tx, added.id, attempt);
    await notifications.settle(tx, ofJob.id, { ...attempt, error: 'the answer was 503' });
  });
  const page = await browser.open(`${server.url}/admin/channels`);
  const row = page.getByRole('row', { name: /team/ });
  await row.getByText('1 waits').waitFor();
  await row.getByText(error).waitFor();
  // The end of the error says what to do, so it must not be cut off.
  for (const [width, height] of [
    [1_200, 900],
    [390, 844],
  ] as const) {
    await resize(page, width, height);
    const cut = `(({ scrollHeight, clientHeight }) => scrollHeight - clientHeight)(document.querySelector('[title^="there is no"]'))`;
    expect(await page.evaluate(cut)).toBe(0);
  }
  await resize(page, 1_200, 900);
  await page.getByRole('link', { name: /^Doctor/ }).press('Enter');
  const checks = page.getByRole('region', { name: 'Channels' }).getByRole('listitem');
  await expect
    .poll(() => checks.allTextContents())
    .toEqual([
      `Warningteam1 message waits: ${error}`,
      expect.stringMatching(/^Warning.+https:\/\/example\.org: 1 message waits: the answer was 503$/),
    ]);
  expect(await accessibilityErrors(page)).toEqual([]);
});
