// The page of schedules: the table, the week, the panel of a schedule with its actions, and the form.

import type { Locator } from 'playwright-core';
import { afterAll, afterEach, expect } from 'vitest';
import { invariant } from '../../src/domain/problem.ts';
import { startServing } from '../server/serving.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { aBrowser, resize } from './a-browser.ts';
import { accessibilityErrors, errorsInBothThemes } from './accessibility-errors.ts';

const argspec = {
  type: 'object',
  required: ['target'],
  properties: { target: { type: 'string' }, days: { type: 'integer' } },
};
const server = await startServing({
  executes: true,
  jobs: {
    'backup/nightly': bash('echo "to $FLWD_ARG_TARGET"', {
      argspec,
      schedules: [{ cron: '30 2 * * *', timezone: 'Europe/Berlin', args: { target: '/srv/a' } }],
    }),
    'ops/often': bash('true', { schedules: [{ cron: '*/5 * * * *' }] }),
    'ops/plain': bash('true', { argspec }),
  },
});
afterAll(() => server.close());
// Schedules that a test has created must not affect the next test, even if the test failed.
afterEach(async () => {
  const { schedules } = await read<{ schedules: readonly { id: string; source: string }[] }>('/schedules');
  for (const { id } of schedules.filter((each) => each.source === 'api'))
    await server.fetch(`/schedules/${id}`, { method: 'DELETE' });
});
const browser = aBrowser();

type Made = { readonly id: string };
const make = async (body: object): Promise<Made> =>
  JSON.parse(await (await server.post('/schedules', { args: { target: '/x' }, ...body })).text());
const read = async <T>(path: string): Promise<T> => JSON.parse(await (await server.fetch(path)).text());

testWith(headlessChromium)('a schedule of a config.yaml can be held, released and run, but not edited', async () => {
  const page = await browser.open(`${server.url}/schedules`, { width: 1_440 });
  const row = page.getByRole('row', { name: /backup\/nightly/ });
  // The sentence names the zone of the schedule, because zones differ between schedules. All times on the page are in
  // the zone that the page names.
  await page.getByText('Times in UTC', { exact: true }).waitFor();
  await row.getByText('Every day at 02:30, Europe/Berlin').waitFor();
  await row
    .getByText(/^(tomorrow )?0[01]:30$/)
    .first()
    .waitFor();
  await row.getByText('target=/srv/a').waitFor();
  const filter = page.getByRole('searchbox', { name: 'Filter the schedules' });
  await filter.fill('every 5 often');
  await row.waitFor({ state: 'detached' });
  await expect.poll(() => page.getByRole('row', { name: /ops\/often/ }).count()).toBe(1);
  await filter.fill('');
  await row.getByRole('button', { name: /^backup\/nightly/ }).click();
  const panel = page.getByRole('region', { name: 'Schedule of backup/nightly' });
  await panel.getByText(/^Clocks go /).waitFor();
  await panel.getByText(/backup\/nightly\/config\.yaml$/).waitFor();
  await expect.poll(() => panel.getByRole('region', { name: 'Next times' }).getByRole('listitem').count()).toBe(3);
  expect(await panel.getByRole('button', { name: /Edit|Delete/ }).count()).toBe(0);

  await panel.getByRole('button', { name: 'Hold' }).click();
  await panel.getByText('Held: this schedule starts nothing until it is released.').waitFor();
  await row.getByText('Held').waitFor();
  await panel.getByRole('button', { name: 'Run now' }).click();
  await panel.getByRole('region', { name: 'Last runs' }).getByText('by local').waitFor();
  await panel.getByRole('button', { name: 'Release' }).click();
  await panel.getByRole('button', { name: 'Hold' }).waitFor();
  await panel.getByRole('button', { name: 'Close' }).click();
  await row.getByRole('button', { name: 'Show the schedule of backup/nightly' }).click();
  await panel.getByRole('region', { name: 'Last runs' }).getByRole('link').first().click();
  await page.waitForURL(/\/runs\/run_/);
  const [, runId] = /runs\/(\w+)/.exec(page.url()) ?? [];
  expect(await read(`/runs/${runId}`)).toMatchObject({ trigger: { type: 'schedule' }, args: { target: '/srv/a' } });
});

testWith(headlessChromium)(
  'the menu of a row offers the same actions as the panel, by keyboard and on a phone',
  async () => {
    const { id } = await make({ job_id: 'ops/plain', cron: '0 4 * * 1', name: 'Weekly' });
    const page = await browser.open(`${server.url}/schedules`, { width: 1_440 });
    const row = page.getByRole('row', { name: /ops\/plain/ });
    const menu = row.getByRole('button', { name: 'Actions of ops/plain Weekly' });
    const items = page.getByRole('menuitem');
    // The menu gets the focus only after it is drawn.
    const focused = items.first().and(page.locator(':focus'));
    await menu.press('Enter');
    await expect.poll(() => items.allTextContents()).toEqual(['Run now', 'Hold', 'Backfill…', 'Edit…']);
    await focused.waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await row.getByText('Held').waitFor();
    await expect.poll(() => read('/schedules?job_id=ops/plain')).toMatchObject({ schedules: [{ held: true }] });
    await menu.press('Enter');
    await expect.poll(() => items.allTextContents()).toEqual(['Run now', 'Release', 'Backfill…', 'Edit…']);
    await focused.waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('status').getByRole('link', { name: 'open it' }).waitFor();
    await expect.poll(() => read('/runs?job_id=ops/plain')).toMatchObject({ runs: [{ labels: { schedule_id: id } }] });

    await menu.press('Enter');
    await page.getByRole('menuitem', { name: 'Edit…' }).press('Enter');
    const form = page.getByRole('dialog', { name: 'Edit the schedule' });
    await expect.poll(() => form.getByLabel('Name').inputValue()).toBe('Weekly');
    await page.keyboard.press('Escape');
    await form.waitFor({ state: 'detached' });
    await resize(page, 390, 844);
    await menu.click();
    await page.getByRole('menuitem', { name: 'Release' }).click();
    await row.getByText('Held').waitFor({ state: 'detached' });
    await expect.poll(() => page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);

    // A schedule of a config.yaml cannot be edited through the server.
    await page.getByRole('button', { name: 'Actions of backup/nightly' }).click();
    await expect.poll(() => items.allTextContents()).toEqual(['Run now', 'Hold', 'Backfill…']);
    await server.fetch(`/schedules/${id}`, { method: 'DELETE' });
  },
);

testWith(headlessChromium)('a job shows its next time, its last run and the possible actions', async () => {
  const named = /^(tomorrow )?02:30 CES?T$/;
  const page = await browser.open(`${server.url}/jobs`, { width: 1_440 });
  const next = page.getByRole('row', { name: /backup\/nightly/ }).getByRole('time');
  // The list shows all times in the zone of the browser. 02:30 in Berlin is 00:30 or 01:30 in UTC.
  await expect.poll(() => next.last().getAttribute('datetime')).toMatch(/T0[01]:30:00/);
  await page.goto(`${server.url}/jobs/backup/nightly?tab=schedules`);
  await page.getByRole('banner').or(page.locator('header')).getByText(named).first().waitFor();
  const card = page.getByRole('region', { name: 'Schedules' });
  await card
    .getByText(/^(tomorrow )?02:30$/)
    .first()
    .waitFor();
  await card.getByRole('button', { name: 'Actions of backup/nightly' }).press('Enter');
  await page.getByRole('menuitem', { name: 'Run now' }).press('Enter');
  await card.getByRole('status').getByRole('link', { name: 'open it' }).waitFor();
  const last = card.getByRole('link', { name: /^(Pending|Running|Success) \d\d:\d\d$/ });
  await expect.poll(() => last.getAttribute('href')).toMatch(/^\/runs\/run_/);
});

testWith(headlessChromium)(
  'a schedule can be edited from the page of its job, and the page works again afterwards',
  async () => {
    await make({ job_id: 'ops/plain', cron: '0 4 * * 1', name: 'Weekly' });
    const page = await browser.open(`${server.url}/jobs/ops/plain?tab=schedules`);
    await page.getByRole('button', { name: 'Actions of ops/plain Weekly' }).press('Enter');
    await page.getByRole('menuitem', { name: 'Edit…' }).press('Enter');
    const form = page.getByRole('dialog', { name: 'Edit the schedule' });
    await expect.poll(() => form.getByLabel(/^target/).inputValue()).toBe('/x');
    await page.keyboard.press('Escape');
    await page.goBack();
    await page.getByText('created by local').waitFor();
  },
);

testWith(headlessChromium)(
  'the page of a job can add a schedule of this job, and the user stays on the page',
  async () => {
    const page = await browser.open(`${server.url}/jobs/ops/plain?tab=schedules`);
    const card = page.getByRole('region', { name: 'Schedules' });
    await card.getByText('The job has no schedules.').waitFor();
    await card.getByRole('button', { name: 'New schedule' }).press('Enter');
    const form = page.getByRole('dialog', { name: 'New schedule' });
    await expect.poll(() => form.getByRole('combobox', { name: 'Job' }).inputValue()).toBe('ops/plain');
    await form.getByLabel('When').fill('0 4 * * 1');
    await form.getByLabel(/^target/).fill('/srv/b');
    await form.getByText('Every Monday at 04:00').waitFor();
    await form.getByLabel('Only on these days').fill('no-such');
    await form.getByText(/^calendar names a calendar that the server does not know/).waitFor();
    await form.getByLabel('Only on these days').fill('');
    await form.getByLabel('Except on these days').fill('2026-12-28, 2027-01-04');
    await form.getByText(/^Every Monday at 04:00.*except/).waitFor();
    await form.getByRole('button', { name: 'Create the schedule' }).press('Enter');
    await card.getByRole('link', { name: 'Every Monday at 04:00' }).waitFor();
    expect(await read('/schedules?job_id=ops/plain')).toMatchObject({
      schedules: [{ calendar: null, except: ['2026-12-28', '2027-01-04'] }],
    });
    expect(page.url()).toBe(`${server.url}/jobs/ops/plain?tab=schedules`);
  },
);

testWith(headlessChromium)(
  'Escape first closes an open menu or leaves a field, then closes the panel and returns to the row',
  async () => {
    const { id } = await make({ job_id: 'ops/plain', cron: '0 4 * * 1' });
    const page = await browser.open(`${server.url}/schedules?schedule=${id}`, { width: 1_440 });
    const panel = page.getByRole('region', { name: 'Schedule of ops/plain' });
    const name = page.getByRole('row', { name: /ops\/plain/ }).getByRole('button', { name: /^ops\/plain/ });
    const focused = () => page.evaluate('document.activeElement.textContent');
    await page.getByRole('button', { name: 'Actions of ops/plain' }).press('Enter');
    await page.getByRole('menu').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('menu').waitFor({ state: 'detached' });
    await panel.getByRole('button', { name: 'Edit…' }).press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.getByRole('searchbox', { name: 'Filter the schedules' }).press('Escape');
    await expect.poll(() => page.evaluate('document.activeElement.tagName')).toBe('BODY');
    await expect.poll(() => panel.isVisible()).toBe(true);

    await page.keyboard.press('Escape');
    await panel.waitFor({ state: 'detached' });
    await expect.poll(focused).toBe('ops/plain');
    await page.keyboard.press('Enter');
    await panel.getByRole('button', { name: 'Hold' }).press('Escape');
    await panel.waitFor({ state: 'detached' });
    await expect.poll(focused).toBe('ops/plain');
    // If the user has moved on in the list, the focus stays where it is.
    await name.press('Enter');
    await panel.waitFor();
    await page.keyboard.press('k');
    const other = await focused();
    await page.keyboard.press('Escape');
    await panel.waitFor({ state: 'detached' });
    expect(await focused()).toBe(other);
    await server.fetch(`/schedules/${id}`, { method: 'DELETE' });
  },
);

testWith(headlessChromium)('text typed before the jobs are loaded is kept, and then selects a job', async () => {
  const page = await browser.open(`${server.url}/schedules`);
  const held = Promise.withResolvers<void>();
  await page.route(/\/api\/v1\/jobs($|\?)/, async (route) => {
    await held.promise;
    await route.continue();
  });
  await page.getByRole('button', { name: 'New schedule' }).press('Enter');
  const job = page.getByRole('dialog', { name: 'New schedule' }).getByRole('combobox', { name: 'Job' });
  await job.fill('plain');
  await page.getByText('Loading…').last().waitFor();
  await job.press('Enter');
  await expect.poll(() => job.inputValue()).toBe('plain');
  held.resolve();
  await page.getByRole('option', { name: 'ops/plain' }).waitFor();
  await job.press('Enter');
  await expect.poll(() => job.inputValue()).toBe('ops/plain');
});

testWith(headlessChromium)(
  'a schedule is created by keyboard with a preview of its next times, then edited and deleted',
  async () => {
    const page = await browser.open(`${server.url}/schedules`, { width: 1_440 });
    await page.getByRole('button', { name: 'New schedule' }).press('Enter');
    const form = page.getByRole('dialog', { name: 'New schedule' });
    // Until a job is chosen, all fields but those of its arguments can be filled in.
    await form.getByText('Choose a job to see the next times and its arguments.').waitFor();
    await form.getByLabel('When').fill('61 * * * *');
    // Fields side by side are at the same height, whatever text is below them.
    const [when, zone] = [form.getByLabel('When'), form.getByRole('combobox', { name: 'Time zone' })];
    expect((await when.boundingBox())?.y).toBeCloseTo((await zone.boundingBox())?.y ?? 0, -1);
    expect(await form.getByRole('button', { name: 'Create the schedule' }).isDisabled()).toBe(true);
    expect(await accessibilityErrors(page)).toEqual([]);
    await form.getByRole('combobox', { name: 'Job' }).fill('plain');
    await page.getByRole('option', { name: 'ops/plain' }).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await form.getByText(/cron is not a cron pattern/).waitFor();
    await form.getByLabel('When').fill('0 4 * * 1');
    await form.getByRole('button', { name: 'Create the schedule' }).click();
    await form.getByText('Required.').waitFor();
    await form.getByLabel(/^target/).fill('/srv/b');
    await form.getByLabel('Name').fill('Weekly');
    await form.getByRole('region', { name: 'Next times' }).getByText('Every Monday at 04:00').waitFor();
    await form.getByLabel(/^days/).fill('few');
    await form.getByRole('button', { name: 'Create the schedule' }).press('Enter');
    await form.getByText('must be a whole number').waitFor();
    await form.getByLabel(/^days/).fill('7');
    await form.getByText('must be a whole number').waitFor({ state: 'detached' });
    await form.getByRole('button', { name: 'Create the schedule' }).press('Enter');
    const panel = page.getByRole('region', { name: 'Schedule of ops/plain' });
    await panel.getByText('Weekly').waitFor();
    expect(await read('/schedules?job_id=ops/plain')).toMatchObject({
      schedules: [{ name: 'Weekly', cron: '0 4 * * 1', args: { target: '/srv/b', days: 7 }, created_by: 'local' }],
    });

    await panel.getByRole('button', { name: 'Edit…' }).click();
    const edit = page.getByRole('dialog', { name: 'Edit the schedule' });
    await expect.poll(() => edit.getByLabel(/^target/).inputValue()).toBe('/srv/b');
    await edit.getByLabel('When').fill('0 5 * * *');
    await edit.getByText('Every day at 05:00').waitFor();
    await edit.getByRole('button', { name: 'Save' }).click();
    await panel.getByText('Every day at 05:00').waitFor();

    await panel.getByRole('button', { name: 'Delete…' }).click();
    await page.getByRole('button', { name: 'Delete the schedule' }).click();
    await panel.waitFor({ state: 'detached' });
    await expect.poll(() => read('/schedules?job_id=ops/plain')).toMatchObject({ total: 0 });
  },
);

const yearly = { job_id: 'ops/plain', cron: '0 0 1 1 *', timezone: 'UTC' };

/** Stores the result of a heartbeat call, as the notifier does after a success of the schedule. */
async function called(scheduleId: string, error: string | null, atMs: number): Promise<void> {
  const { db, heartbeats } = server.store;
  const success = {
    scheduleId,
    tenant: 'default',
    to: 'https://watch.example',
    runId: `run_${atMs}`,
    successAtMs: atMs,
  };
  await db.transact((tx) => heartbeats.put(tx, success, atMs));
  const stored = await heartbeats.find(scheduleId);
  invariant(stored, 'it was just stored');
  const nextAtMs = error === null ? null : atMs + 86_400_000;
  await db.transact((tx) => heartbeats.settle(tx, stored, { atMs, error, nextAtMs }));
}

testWith(headlessChromium)('a schedule shows its heartbeat, and in red why the last call failed', async () => {
  const { id } = await make({ ...yearly, heartbeat: 'https://watch.example/ping/token-of-the-watch' });
  const page = await browser.open(`${server.url}/schedules?schedule=${id}`, { width: 1_440, clockMs: Date.now() });
  const row = page.getByRole('row', { name: /ops\/plain/ });
  const panel = page.getByRole('region', { name: 'Schedule of ops/plain' });
  const heartbeat = panel.getByRole('region', { name: 'Heartbeat' });
  await heartbeat.getByText('Each success calls https://watch.example.').waitFor();
  await heartbeat.getByText('Not yet called.').waitFor();
  await row.getByText('Not yet').waitFor();

  await called(id, null, Date.parse('2026-01-05T07:08:00Z'));
  await page.clock.runFor(20_000);
  await heartbeat.getByText('Last called 5 Jan').waitFor();
  await called(id, 'the answer was 500', Date.now());
  await page.clock.runFor(20_000);
  const failure = heartbeat.getByText(/^The call at \d\d:\d\d failed: the answer was 500\.$/);
  await failure.waitFor();
  await heartbeat.getByText(/^Next try: in /).waitFor();
  const colours = `(() => {
    const failure = document.evaluate("//p[contains(., 'the answer was 500')]", document, null, 9).singleNodeValue;
    const probe = document.body.appendChild(document.createElement('i'));
    probe.style.color = 'var(--failed)';
    return [getComputedStyle(failure).color, getComputedStyle(probe).color];
  })()`;
  const [shown, red] = await page.evaluate<string[]>(colours);
  expect(shown).toBe(red);
  await row.getByTitle('the answer was 500').getByText('Failed').waitFor();
  expect(await page.content()).not.toContain('token-of-the-watch');

  await panel.getByRole('button', { name: 'Close' }).click();
  await resize(page, 1_800, 900);
  await row.getByText('the answer was 500').waitFor();
  await row.getByText('https://watch.example').waitFor();
  await resize(page, 390, 844);
  await row.getByText('the answer was 500').waitFor();
  const others = page.getByRole('row', { name: /ops\/often/ });
  const heightOf = async (of: Locator) => (await of.boundingBox())?.height ?? 0;
  await expect.poll(async () => (await heightOf(row)) - (await heightOf(others))).toBe(0);
  await expect.poll(() => page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);

  await called(id, null, Date.now());
  await page.clock.runFor(20_000);
  await row.getByText('Called').waitFor();
  await server.fetch(`/schedules/${id}`, { method: 'DELETE' });
});

testWith(headlessChromium)('the form sets, keeps, replaces and removes the heartbeat of a schedule', async () => {
  const { id } = await make(yearly);
  const page = await browser.open(`${server.url}/schedules?form=${id}`, { width: 1_440 });
  const form = page.getByRole('dialog', { name: 'Edit the schedule' });
  const choose = async (name: string) => {
    await form.getByRole('combobox', { name: 'After each success' }).click();
    await page.getByRole('option', { name }).click();
  };
  const save = form.getByRole('button', { name: 'Save' });
  const saved = async (heartbeat: unknown) => {
    await form
      .getByText('Every year')
      .or(form.getByText(/January/))
      .first()
      .waitFor();
    await save.click();
    await form.waitFor({ state: 'detached' });
    expect(await read(`/schedules/${id}`)).toMatchObject({ heartbeat });
  };
  const again = () => page.goto(`${server.url}/schedules?form=${id}`);

  await choose('Call an address');
  await save.click();
  await form.getByText('Enter an address.').waitFor();
  await form.getByLabel('Address').fill('nowhere');
  await form.getByText(/heartbeat must be an http or https URL/).waitFor();
  await form.getByLabel('Address').fill('https://watch.example/ping/abc');
  await saved({ origin: 'https://watch.example' });
  await again();
  await form.getByText('Call https://watch.example, as before').waitFor();
  await form.getByLabel('Name').fill('Kept');
  await saved({ origin: 'https://watch.example' });
  await again();
  await choose('Call the address in a stored secret');
  await form.getByLabel('Secret').fill('not a name!');
  await form.getByText(/^heartbeat /).waitFor();
  await form.getByLabel('Secret').fill('backup-watch');
  await saved({ origin: null, secret: 'backup-watch' });
  await again();
  await expect.poll(() => form.getByLabel('Secret').inputValue()).toBe('backup-watch');
  await choose('Call nothing');
  await saved(null);
  await server.fetch(`/schedules/${id}`, { method: 'DELETE' });
});

testWith(headlessChromium)(
  'a week shows each time of a rare schedule, and only counts the times of a frequent one',
  async () => {
    const made = await make({ job_id: 'ops/plain', cron: '0 12 * * *', name: 'Noon' });
    const page = await browser.open(`${server.url}/schedules?view=week`, { width: 1_440 });
    const week = page.getByRole('region', { name: 'Week' });
    await week.getByText('Every 5 minutes').waitFor();
    await page.getByRole('button', { name: 'Week after' }).click();
    const monday = week.getByRole('list', { name: /^Monday/ });
    await monday.getByRole('button', { name: /Noon, 12:00/ }).click();
    const panel = page.getByRole('region', { name: 'Schedule of ops/plain' });
    await panel.getByText('Noon').waitFor();
    expect(new URL(page.url()).searchParams.get('schedule')).toBe(made.id);
    await expect.poll(() => week.getByRole('button', { name: /Noon/ }).count()).toBe(7);
    await resize(page, 390, 844);
    await page.getByRole('dialog').getByText('Noon').waitFor();
    await page.keyboard.press('Escape');
    await panel.waitFor({ state: 'detached' });
    await week.getByText('1 schedule that fires often').click();
    await week.getByRole('button', { name: 'ops/often' }).waitFor();
    await week
      .getByRole('list', { name: /^Sunday/ })
      .getByRole('button', { name: /Noon/ })
      .waitFor();
    await expect.poll(() => page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
    await server.fetch(`/schedules/${made.id}`, { method: 'DELETE' });
  },
);

testWith(headlessChromium)('the table and the week show their times in one zone, which the page names', async () => {
  const jobs = { 'ops/nightly': bash('true', { schedules: [{ cron: '30 2 * * *', timezone: 'Europe/Berlin' }] }) };
  await using one = await startServing({ jobs });
  const page = await browser.open(`${one.url}/schedules`, { width: 1_440, timezone: 'America/New_York' });
  const row = page.getByRole('row', { name: /ops\/nightly/ });
  await row.getByText('Every day at 02:30', { exact: true }).waitFor();
  await row.getByText(/^(tomorrow )?02:30$/).waitFor();
  await page.getByText('Times in Europe/Berlin', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Week', exact: true }).click();
  await page.getByText('Times in Europe/Berlin', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Week after' }).click();
  const week = page.getByRole('region', { name: 'Week' });
  for (const day of [/^Monday/, /^Sunday/])
    await week.getByRole('list', { name: day }).getByRole('button', { name: 'nightly, 02:30', exact: true }).waitFor();
});

testWith(headlessChromium)('schedules and triggers say which stored secret their runs lack', async () => {
  const lacks = { env: { KEY: { secret: 'pg-key' } } };
  await using one = await startServing({
    executes: true,
    jobs: {
      'ops/nightly': bash('true', { ...lacks, schedules: [{ cron: '30 2 * * *' }] }),
      'ops/after': bash('true', { ...lacks, triggers: [{ job: 'ops/nightly', on: ['success'] }] }),
      'ops/start': bash('true', { ...lacks, schedules: [{ cron: '@reboot' }] }),
      'ops/broken': { 'config.yaml': 'command: [' },
    },
  });
  const page = await browser.open(`${one.url}/schedules`, { width: 1_280 });
  await page
    .getByRole('row', { name: /ops\/nightly/ })
    .getByText('Its runs lack the secret pg-key')
    .waitFor({ state: 'attached' });
  await page.getByRole('button', { name: 'ops/nightly', exact: true }).click();
  const words = 'Its runs lack the secret pg-key. Store it with flwd secrets set pg-key.';
  await page.getByRole('region', { name: 'Schedule of ops/nightly' }).getByText(words).waitFor();
  await page.goto(`${one.url}/jobs/ops/nightly?tab=schedules`);
  await page.getByRole('region', { name: 'Schedules' }).getByText(words).waitFor();
  await page.goto(`${one.url}/jobs/ops/start?tab=schedules`);
  await page.getByRole('region', { name: 'Schedules' }).getByText('At the next start', { exact: true }).waitFor();
  await page.goto(`${one.url}/admin/triggers`);
  await page
    .getByRole('row', { name: /ops\/after/ })
    .getByText('lacks the secret pg-key: flwd secrets set pg-key')
    .waitFor();
  await page.goto(`${one.url}/admin/doctor`);
  const checks = page.getByRole('main').getByRole('listitem');
  for (const text of [
    /^Warningsecretsruns .* need secrets that are not stored: pg-key$/,
    /^Warningjobs1 job is broken, so nothing can start it: ops\/broken/,
    /^Warningexpected runs1 late or missed: ops\/start/,
  ])
    await checks.filter({ hasText: text }).waitFor();
  const put = { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{"value":"hunter-22"}' };
  expect((await one.fetch('/secrets/pg-key', put)).status).toBe(201);
  await expect
    .poll(async () => {
      await page.getByRole('button', { name: 'Check again' }).click();
      return checks.filter({ hasText: /^OKsecrets$/ }).count();
    })
    .toBe(1);
  await page.getByRole('status').filter({ hasText: '1 late or missed' }).waitFor();
});

testWith(headlessChromium)('actions that a caller may not perform are not shown', async () => {
  const { credential } = await server.token({ scopes: ['jobs:read', 'runs:read'] });
  const page = await browser.open(server.url);
  await page.evaluate(`sessionStorage.setItem('flwd.token', ${JSON.stringify(credential)})`);
  await page.goto(`${server.url}/schedules`);
  await page.getByRole('button', { name: /^backup\/nightly/ }).click();
  const panel = page.getByRole('region', { name: 'Schedule of backup/nightly' });
  await panel.getByText('Callers with the scope schedules:write may hold and change it.').waitFor();
  expect(
    await page.getByRole('button', { name: /New schedule|Pause all|Run now|Hold|Backfill|^Actions of/ }).count(),
  ).toBe(0);
  await page.goto(`${server.url}/jobs/ops/plain?tab=schedules`);
  await page.getByText('The job has no schedules.').waitFor();
  expect(await page.getByRole('button', { name: 'New schedule' }).count()).toBe(0);
});

testWith(headlessChromium)('the table, the week, a schedule and the form pass WCAG AA in both themes', async () => {
  const { id } = await make({ job_id: 'ops/plain', cron: '0 12 * * *', heartbeat: 'https://watch.example' });
  await called(id, 'the answer was 500', Date.now());
  const page = await browser.open(`${server.url}/schedules?schedule=${id}`, { width: 1_440 });
  await page.getByRole('region', { name: 'Settings' }).waitFor();
  await page.getByRole('region', { name: 'Heartbeat' }).waitFor();
  expect(await errorsInBothThemes(page)).toEqual([]);
  await page.goto(`${server.url}/schedules?view=week&schedule=${id}`);
  await page.getByRole('list', { name: /^Monday/ }).waitFor();
  expect(await errorsInBothThemes(page)).toEqual([]);
  await page.goto(`${server.url}/schedules?form=${id}`);
  await page.getByText('Every day at 12:00').last().waitFor();
  expect(await errorsInBothThemes(page)).toEqual([]);
  await server.fetch(`/schedules/${id}`, { method: 'DELETE' });
});

testWith(headlessChromium)(
  'a laptop shows the whole sentence of a schedule, and when a schedule of @boot starts next',
  async () => {
    await make({ job_id: 'ops/plain', cron: '0 9,13,17 * * 1-5' });
    await make({ job_id: 'ops/plain', cron: '@boot' });
    const page = await browser.open(`${server.url}/schedules`, { width: 1_280, height: 800 });
    await page
      .getByRole('row', { name: /ops\/plain/ })
      .getByText('At the next boot', { exact: true })
      .waitFor();
    const sentence = page.getByText('Monday to Friday at 09:00, 13:00 and 17:00');
    await sentence.waitFor();
    const [text, cell] = [await sentence.boundingBox(), await sentence.locator('..').boundingBox()];
    expect(text?.width).toBeLessThanOrEqual(cell?.width ?? 0);
  },
);

/** The texts of names, arguments and sentences that do not fit into their cells. */
const cutTexts = `[...document.querySelectorAll('td:nth-child(-n + 2), td:nth-child(-n + 2) *')]
  .filter((one) => getComputedStyle(one).overflow !== 'visible')
  .filter((one) => one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight)
  .map((one) => one.textContent)`;

testWith(headlessChromium)('a laptop shows the arguments and the long sentence of a schedule in full', async () => {
  const sentence = 'Monday to Friday at 09:00, 13:00 and 17:00, America/New_York';
  await make({
    job_id: 'ops/plain',
    cron: '0 9,13,17 * * 1-5',
    timezone: 'America/New_York',
    args: { target: '/srv', days: 7 },
    heartbeat: 'https://watch.example',
  });
  for (const width of [1_280, 1_440]) {
    const page = await browser.open(`${server.url}/schedules`, { width, height: 800 });
    await page.getByText(sentence).waitFor();
    const given = page.getByText('target=/srv days=7');
    expect(await page.evaluate(cutTexts)).toEqual([]);
    const row = await page.getByRole('row').filter({ has: given }).boundingBox();
    const text = await given.boundingBox();
    expect((text?.y ?? 0) + (text?.height ?? 0)).toBeLessThanOrEqual((row?.y ?? 0) + (row?.height ?? 0));
  }
});
