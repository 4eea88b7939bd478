// What the start form must not lose: earlier arguments, JSON, texts of several lines, secrets, copied commands, and
// reruns.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, describe, expect } from 'vitest';
import { startServing } from '../server/serving.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { aBrowser, resize } from './a-browser.ts';

const note = {
  argspec: {
    type: 'object',
    properties: {
      text: { type: 'string' },
      key: { type: 'string', format: 'secret' },
      count: { type: 'integer', maximum: 9 },
      more: { type: ['string', 'null'] },
    },
  },
};
const hosts = {
  argspec: {
    type: 'object',
    required: ['hosts'],
    properties: {
      hosts: {
        type: 'array',
        minItems: 1,
        items: {
          type: 'object',
          required: ['name', 'port'],
          properties: { name: { type: 'string' }, port: { type: 'number' }, day: { type: 'string', format: 'date' } },
        },
      },
      parts: { type: 'array', uniqueItems: true, items: { enum: ['db', 'web', 'mail'] } },
      db: { type: 'object', properties: { host: { type: 'string' }, user: { type: 'string', default: 'backup' } } },
      key: { type: 'string', format: 'secret' },
    },
  },
};
const several = {
  argspec: {
    type: 'object',
    properties: {
      words: { type: 'array', items: { type: 'string' } },
      mode: { enum: ['fast', 'slow'], default: 'fast' },
      region: { enum: ['region-a', 'region-b', 'region-c', 'region-d', 'region-e', 'region-f'] },
      loud: { type: 'boolean', default: true },
    },
  },
};
const server = await startServing({
  executes: true,
  jobs: {
    note: bash('true', note),
    last: bash('true', note),
    bare: bash('true'),
    hosts: bash('true', hosts),
    several: bash('true', several),
    copy: bash('true', {
      argspec: { type: 'object', properties: { from: { type: 'string', format: 'path', default: '/home/nina/www' } } },
      notify: [{ channel: 'team' }],
    }),
    dump: bash('true', { env: { KEY: { secret: 'bucket' } } }),
    nightly: { 'config.yaml': 'steps: [{id: save, job: dump}]\n' },
  },
});
afterAll(() => server.close());
const browser = aBrowser();

const start = async (args: object, jobId = 'note'): Promise<string> =>
  JSON.parse(await (await server.post('/runs', { job_id: jobId, args, async: false })).text()).run_id;
const argsOf = async (runId: string | undefined): Promise<Record<string, unknown>> =>
  JSON.parse(await (await server.fetch(`/runs/${runId}`)).text()).args;
const jsonOf = (page: Page) => page.getByRole('textbox', { name: 'Arguments as JSON' });

describe('a list', () => {
  testWith(headlessChromium)('of objects has fields for each item, with the errors of the item', async () => {
    const page = await browser.open(`${server.url}/jobs/hosts`);
    await page.getByText('1 required value is missing.').waitFor();
    await page.getByRole('button', { name: 'Add to hosts' }).click();
    const item = page.getByRole('group', { name: 'hosts, item 1' });
    const errors = page.locator('[data-error]');
    await page.getByText('1 field needs attention').waitFor();
    expect(await errors.count()).toBe(0);
    await item.getByLabel(/^port/).pressSequentially('1.x');
    await item.getByText('must be a number', { exact: true }).waitFor();
    await item.getByLabel(/^port/).fill('');
    await item.getByText('Required.', { exact: true }).waitFor();
    await item.getByLabel(/^port/).pressSequentially('1.50');
    await item.getByLabel(/^day/).fill('2026-02-03');
    await page.getByRole('button', { name: /^Run/ }).click();
    await expect.poll(() => errors.allTextContents()).toEqual(['Required.']);
    await item.getByLabel(/^name/).fill('web-01');
    await page.getByText('Starts at once').waitFor();
    await expect.poll(() => item.getByLabel(/^port/).inputValue()).toBe('1.50');
    await page.getByRole('button', { name: /^Run/ }).click();
    await page.getByText(/Succeeded in/).waitFor();
    const args = await argsOf(page.url().split('/').at(-1));
    expect(args.hosts).toEqual([{ name: 'web-01', port: 1.5, day: '2026-02-03' }]);
  });

  testWith(headlessChromium)('of distinct choices is a group of checkboxes', async () => {
    const page = await browser.open(`${server.url}/jobs/hosts`);
    const parts = page.getByRole('group', { name: 'parts' });
    await parts.getByRole('checkbox', { name: 'mail' }).check();
    await parts.getByRole('checkbox', { name: 'db' }).check();
    await page.getByRole('button', { name: 'As JSON' }).click();
    expect(JSON.parse(await jsonOf(page).inputValue())).toEqual({ parts: ['db', 'mail'] });
  });
});

describe('several values', () => {
  testWith(headlessChromium)('are shown as chips, and a value that is still being typed counts, too', async () => {
    const page = await browser.open(`${server.url}/jobs/several`);
    const words = page.getByLabel('words', { exact: true });
    await words.fill('one');
    await words.press('Enter');
    await words.fill('two');
    await page.getByRole('button', { name: 'Remove one from words' }).waitFor();
    await page.getByText('Starts at once').waitFor();
    await words.press('Control+Enter');
    await page.waitForURL(/\/runs\/run_/);
    expect(await argsOf(page.url().split('/').at(-1))).toMatchObject({ words: ['one', 'two'] });
  });

  testWith(headlessChromium)('are removed with Backspace, and pasted lines become one value each', async () => {
    const page = await browser.open(`${server.url}/jobs/several`);
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.evaluate('navigator.clipboard.writeText("a\\nb\\nc\\n")');
    const words = page.getByLabel('words', { exact: true });
    await words.focus();
    await page.keyboard.press('Control+v');
    await page.getByRole('button', { name: 'Remove c from words' }).waitFor();
    await page.keyboard.press('Backspace');
    await page.getByRole('button', { name: 'Remove a from words' }).click();
    await page.getByRole('button', { name: 'As JSON' }).click();
    expect(JSON.parse(await jsonOf(page).inputValue())).toEqual({ words: ['b'] });
  });
});

describe('a choice', () => {
  testWith(headlessChromium)(
    'with few values is a row of buttons with the default chosen, and with many values it is typed',
    async () => {
      const page = await browser.open(`${server.url}/jobs/several`);
      const mode = page.getByRole('group', { name: 'mode' });
      await expect.poll(() => mode.getByRole('button', { name: 'fast' }).getAttribute('aria-pressed')).toBe('true');
      await mode.getByRole('button', { name: 'slow' }).click();
      const region = page.getByRole('combobox', { name: 'region' });
      await region.fill('f');
      await page.getByRole('option', { name: 'region-f' }).click();
      await page.getByRole('checkbox', { name: 'loud' }).uncheck();
      await page.getByRole('button', { name: 'As JSON' }).click();
      expect(JSON.parse(await jsonOf(page).inputValue())).toEqual({ mode: 'slow', region: 'region-f', loud: false });
    },
  );
});

describe('the options of a run', () => {
  testWith(headlessChromium)('besides its arguments are under More, and are validated', async () => {
    const page = await browser.open(`${server.url}/jobs/several`);
    await page.getByText('More priority 0').click();
    await page.getByLabel('Priority').fill('1000');
    await page.getByText('must be a whole number from -100 to 100').waitFor();
    await page.getByLabel('Priority').fill('5');
    await page.getByLabel('Labels').fill('team=ops, why=trial');
    await page.getByText('Starts at once').waitFor();
    await page.getByRole('button', { name: /^Run/ }).click();
    await page.waitForURL(/\/runs\/run_/);
    const runId = page.url().split('/').at(-1);
    const run = JSON.parse(await (await server.fetch(`/runs/${runId}`)).text());
    expect(run).toMatchObject({ priority: 5, labels: { team: 'ops', why: 'trial' } });
  });
});

describe('an argument that differs from the run it was filled in from', () => {
  testWith(headlessChromium)('is marked in its field and listed', async () => {
    const runId = await start({ text: 'old', count: 3 });
    const page = await browser.open(`${server.url}/jobs/note?from=${runId}`);
    await page.getByText('All arguments are the same. The revision is the same:').waitFor();
    await page.getByLabel('text', { exact: true }).fill('new');
    await page.getByText('± was old').waitFor();
    const listed = page.getByRole('region', { name: 'Compared with the run' });
    await expect.poll(() => listed.textContent()).toMatch(/- text: old\+ text: new3 others are the same/);
  });
});

testWith(headlessChromium)(
  'by keyboard alone, the sentence about errors leads to the invalid field, and Ctrl Enter runs the job',
  async () => {
    const page = await browser.open(`${server.url}/jobs/note`);
    await page.getByText('Starts at once').waitFor();
    await page.getByLabel('count', { exact: true }).focus();
    await page.keyboard.type('99');
    const lead = page.getByRole('button', { name: '1 field needs attention' });
    await lead.waitFor();
    await page.keyboard.press('Control+Enter');
    await expect.poll(() => page.evaluate('document.activeElement.id')).toBe('field-2');
    await lead.focus();
    await page.keyboard.press('Enter');
    await expect.poll(() => page.evaluate('document.activeElement.id')).toBe('field-2');
    await expect.poll(() => page.getByText('must be at most 9').count()).toBe(1);
    // The last valid plan stays visible while a field has an error.
    expect(await page.getByRole('region', { name: 'What would happen' }).textContent()).toMatch(/Network\s*none/);
    await page.keyboard.press('Control+a');
    await page.keyboard.type('7');
    await page.getByText('Starts at once').waitFor();
    await page.keyboard.press('Control+Enter');
    await page.waitForURL(/\/runs\/run_/);
    expect(await argsOf(page.url().split('/').at(-1))).toEqual({ count: 7 });
  },
);

testWith(headlessChromium)(
  'on a phone, the bar at the end of the form has one line, and the copy buttons are above it',
  async () => {
    const page = await browser.open(`${server.url}/jobs/note`);
    const bar = page.getByRole('form', { name: 'Arguments' }).locator('footer');
    await bar.getByRole('button', { name: 'curl' }).waitFor();
    await bar.getByText('Ctrl ⏎').waitFor();
    await resize(page, 390, 844);
    await bar.getByRole('button', { name: 'curl' }).waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'curl' }).waitFor();
    await expect.poll(async () => (await bar.boundingBox())?.height ?? 0).toBeLessThan(80);
    // A phone does not have these keys.
    await bar.getByText('Ctrl ⏎').waitFor({ state: 'hidden' });
  },
);

testWith(headlessChromium)('while the form starts a run, it says so and does not send a second request', async () => {
  const page = await browser.open(`${server.url}/jobs/note`);
  const asked: string[] = [];
  const held = Promise.withResolvers<void>();
  await page.route('**/api/v1/runs', async (route) => {
    asked.push(route.request().method());
    await held.promise;
    await route.continue();
  });
  await page.getByText('Starts at once').waitFor();
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  const busy = page.getByRole('button', { name: 'Starting…', disabled: true });
  await busy.and(page.locator('[aria-busy="true"]:focus')).waitFor();
  await page.getByRole('status').getByText('Starting…').waitFor();
  await page.keyboard.press('Control+Enter');
  await busy.press('Enter');
  await busy.waitFor();
  held.resolve();
  await page.waitForURL(/\/runs\/run_/);
  expect(asked).toEqual(['POST']);
});

testWith(headlessChromium)('no run starts while a field contains text that cannot be parsed', async () => {
  const total = async (): Promise<number> => {
    const { total } = (await (await server.fetch('/runs')).json()) as { total: number };
    return total;
  };
  const before = await total();
  const page = await browser.open(`${server.url}/jobs/note`);
  const count = page.getByLabel('count', { exact: true });
  await count.fill('few');
  await page.getByText('1 field needs attention').waitFor();
  const text = page.getByLabel('text', { exact: true });
  await text.fill('a');
  await text.press('Control+Enter');
  await count.and(page.locator(':focus')).waitFor();
  await page.getByRole('button', { name: '1 field needs attention' }).waitFor();
  expect(await total()).toBe(before);
});

testWith(headlessChromium)('a default inside an object is shown once the object is given', async () => {
  const page = await browser.open(`${server.url}/jobs/hosts`);
  const user = page.getByLabel('user', { exact: true });
  await page.getByText('backup by default, if db is given').waitFor();
  expect(await user.getAttribute('placeholder')).toBe('');
  await page.getByLabel('host', { exact: true }).fill('db-02');
  await expect.poll(() => user.getAttribute('placeholder')).toBe('backup');
});

testWith(headlessChromium)('typed arguments are kept during a visit to another page, except secrets', async () => {
  const page = await browser.open(`${server.url}/jobs/note`);
  await page.getByLabel('text', { exact: true }).fill('half a thought');
  await page.getByLabel('key', { exact: true }).fill('hush-hush');
  await page.getByRole('link', { name: 'Jobs' }).first().click();
  await page.getByRole('table', { name: 'Jobs' }).waitFor();
  await page.goBack();
  await expect.poll(() => page.getByLabel('text', { exact: true }).inputValue()).toBe('half a thought');
  expect(await page.getByLabel('key', { exact: true }).inputValue()).toBe('');
});

testWith(headlessChromium)(
  'an unreachable server is reported once, and the plan loads by itself when the server is back',
  async () => {
    const page = await browser.open(`${server.url}/jobs/note`);
    await page.getByText('Starts at once').waitFor();
    await page.route('**/plans', (route) => route.abort());
    await page.getByLabel('text', { exact: true }).fill('a');
    const lost = page.getByRole('main').getByText('No server can be reached');
    await lost.waitFor();
    await expect.poll(() => lost.count()).toBe(1);
    await page.unroute('**/plans');
    await page.getByText('Starts at once').waitFor();
    expect(await lost.count()).toBe(0);
  },
);

describe('the arguments of an earlier run', () => {
  testWith(headlessChromium)('scroll the form into view', async () => {
    const runId = await start({ text: 'earlier' });
    const page = await browser.open(`${server.url}/jobs/note`, { height: 300 });
    await page.getByRole('link', { name: `Fill in the arguments of ${runId}` }).click();
    await page.getByText(`These are the arguments of ${runId}.`).waitFor();
    const isFocused = "document.activeElement === document.querySelector('form[aria-label=Arguments]')";
    await expect.poll(() => page.evaluate(isFocused)).toBe(true);
    const top = "document.querySelector('form[aria-label=Arguments]').getBoundingClientRect().top";
    expect(Math.abs(await page.evaluate<number>(top))).toBeLessThan(150);
  });

  testWith(headlessChromium)(
    'are filled in from the last run with one button, and a typed secret is kept',
    async () => {
      const page = await browser.open(`${server.url}/jobs/last`);
      const fill = page.getByRole('button', { name: 'Fill in from the last run' });
      await page.getByText('Starts at once').waitFor();
      expect(await fill.count()).toBe(0);
      await start({ text: 'before', count: 1 }, 'last');
      await start({ text: 'newest', key: 'hush-hush' }, 'last');
      const last = page.getByRole('list', { name: 'Last runs' });
      await expect.poll(() => last.getByRole('listitem').count()).toBe(2);
      // Long arguments are shortened, and the tooltip shows all of them.
      await last.getByTitle(/^text=before count=1$/).waitFor();
      const text = page.getByLabel('text', { exact: true });
      const key = page.getByLabel('key', { exact: true });
      await key.fill('typed');
      await fill.press('Enter');
      await expect.poll(() => text.inputValue()).toBe('newest');
      await expect.poll(() => key.inputValue()).toBe('typed');
      // The button fills in the same arguments again after changes.
      await text.fill('changed');
      await page.getByLabel('count', { exact: true }).fill('5');
      await fill.click();
      await expect.poll(() => text.inputValue()).toBe('newest');
      expect(await page.getByLabel('count', { exact: true }).inputValue()).toBe('');
      await page.getByRole('button', { name: 'Fill in from another run' }).click();
      await page.getByRole('menuitem').nth(1).click();
      await expect.poll(() => text.inputValue()).toBe('before');

      await start({}, 'bare');
      await page.goto(`${server.url}/jobs/bare`);
      await page.getByRole('list', { name: 'Last runs' }).waitFor();
      expect(await fill.count()).toBe(0);
    },
  );

  testWith(headlessChromium)('are filled in as JSON while the form shows JSON', async () => {
    const runId = await start({ text: 'earlier', key: 'hush-hush' });
    const page = await browser.open(`${server.url}/jobs/note`);
    await page.getByRole('button', { name: 'As JSON' }).click();
    await page.getByRole('link', { name: `Fill in the arguments of ${runId}` }).click();
    await page.getByText(`These are the arguments of ${runId}.`).waitFor();
    expect(JSON.parse(await jsonOf(page).inputValue())).toEqual({ text: 'earlier' });
  });

  testWith(headlessChromium)('are shown as JSON if they fit no field', async () => {
    const runId = await start({ text: 'a', more: null });
    const page = await browser.open(`${server.url}/jobs/note?from=${runId}`);
    await page.getByText('They are shown as JSON, because no field fits more.').waitFor();
    expect(JSON.parse(await jsonOf(page).inputValue())).toEqual({ text: 'a', more: null });
    await page.getByRole('button', { name: 'As fields' }).click();
    await page.getByRole('alert').filter({ hasText: 'No field fits more as written.' }).waitFor();
    await jsonOf(page).fill('{"text": "b"}');
    await page.getByRole('button', { name: 'As fields' }).click();
    await expect.poll(() => page.getByLabel('text', { exact: true }).inputValue()).toBe('b');
  });
});

testWith(headlessChromium)(
  'a typed secret is kept when the form switches to JSON and back, and a note says that the JSON omits it',
  async () => {
    const page = await browser.open(`${server.url}/jobs/note`);
    await page.getByLabel('key', { exact: true }).fill('hush-hush');
    await page.getByRole('button', { name: 'As JSON' }).click();
    await page.getByText('The JSON leaves out secret values: key').waitFor();
    await expect.poll(() => jsonOf(page).inputValue()).toBe('{}');
    await page.getByRole('button', { name: 'As fields' }).click();
    await expect.poll(() => page.getByLabel('key', { exact: true }).inputValue()).toBe('hush-hush');
    await page.getByRole('button', { name: 'As JSON' }).click();
    await jsonOf(page).fill('{"key": "written"}');
    await page.getByRole('button', { name: 'As fields' }).click();
    await expect.poll(() => page.getByLabel('key', { exact: true }).inputValue()).toBe('written');
  },
);

testWith(headlessChromium)('the errors of the JSON field are announced as its description', async () => {
  const page = await browser.open(`${server.url}/jobs/note`);
  await page.getByRole('button', { name: 'As JSON' }).click();
  await jsonOf(page).fill('{"count": 10}');
  await page.getByText('count must be at most 9').waitFor();
  await expect.poll(() => jsonOf(page).getAttribute('aria-invalid')).toBe('true');
  const described = await page.evaluate(
    `document.querySelector('textarea').getAttribute('aria-describedby').split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join('')`,
  );
  expect(described).toBe('count must be at most 9');
});

testWith(headlessChromium)(
  'a text keeps its line breaks, whether it comes from an earlier run or is pasted',
  async () => {
    const runId = await start({ text: 'one\ntwo' });
    const page = await browser.open(`${server.url}/jobs/note?from=${runId}`);
    const text = page.getByLabel('text', { exact: true });
    await expect.poll(() => text.inputValue()).toBe('one\ntwo');
    await text.press('End');
    await text.press('Control+End');
    await text.pressSequentially('!');
    const key = page.getByLabel('key', { exact: true });
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.evaluate('navigator.clipboard.writeText("BEGIN\\nKEY\\nEND\\n")');
    await key.focus();
    await page.keyboard.press('Control+v');
    await expect.poll(() => key.inputValue()).toBe('BEGIN\nKEY\nEND\n');
    const look = "getComputedStyle(document.getElementById('field-1')).getPropertyValue('-webkit-text-security')";
    expect(await page.evaluate(look)).toBe('disc');
    await page.getByText('Starts at once').waitFor();
    await page.getByRole('button', { name: /^Run/ }).click();
    await page.getByText(/Succeeded in/).waitFor();
    expect(await argsOf(page.url().split('/').at(-1))).toMatchObject({ text: 'one\ntwo!' });
  },
);

testWith(headlessChromium)(
  'a copied command has a placeholder for a secret, and includes a token if the server needs one',
  async () => {
    await using guarded = await startServing({ authMode: 'required', jobs: { note: bash('true', note) } });
    const { credential, headers } = await guarded.token({ scopes: ['jobs:read', 'runs:write'] });
    const page = await browser.open(`${guarded.url}/jobs/note`);
    await page.getByLabel('API token').fill(credential);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByLabel('key', { exact: true }).fill('hush-hush');
    await page.getByText('Replace SECRET with the value of key').waitFor();
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    const copied = () => page.evaluate<string>('navigator.clipboard.readText()');
    await page.getByRole('button', { name: 'curl' }).click();
    await expect
      .poll(copied)
      .toBe(
        `curl ${guarded.url}/api/v1/runs -H 'content-type: application/json' -H "authorization: Bearer $FLWD_TOKEN" -d '{"job_id":"note","args":{"key":"SECRET"}}'`,
      );
    await page.getByRole('button', { name: 'flwd' }).click();
    await expect.poll(copied).toBe(`flwd --remote ${guarded.url} run note --key.file FILE`);
    expect((await guarded.fetch('/jobs', { headers })).status).toBe(200);
  },
);

testWith(headlessChromium)(
  'the plan shows what the run would lack: a path, a channel, the secret of a step',
  async () => {
    const page = await browser.open(`${server.url}/jobs/copy`);
    const plan = page.getByRole('region', { name: 'What would happen' });
    await expect.poll(() => plan.textContent()).toMatch(/Not shown to the job\/home\/nina\/www\s*No such channelteam/);
    await page.goto(`${server.url}/jobs/nightly`);
    await expect
      .poll(() => plan.textContent())
      .toContain("Would failthe step save: There is no stored secret 'bucket': store it with flwd secrets set bucket.");
  },
);

testWith(headlessChromium)(
  'when a run is repeated with changes, an emptied field uses the earlier value in the plan',
  async () => {
    const runId = await start({ text: 'old', count: 3 });
    const page = await browser.open(`${server.url}/jobs/note?rerun=${runId}`);
    const plan = page.getByRole('region', { name: 'What would happen' });
    await plan.getByText('text = old').waitFor();
    const count = page.getByLabel('count', { exact: true });
    await count.fill('4');
    await plan.getByText('count = 4').waitFor();
    await count.fill('');
    await expect.poll(() => count.getAttribute('placeholder')).toBe('3');
    await plan.getByText('count = 3').waitFor();
    await page.getByRole('link', { name: 'start a new run with these arguments' }).click();
    await page.getByText(`These are the arguments of ${runId}.`).waitFor();
    await count.fill('');
    await plan.getByText('text = old').waitFor();
    await expect.poll(() => plan.getByText('count =').count()).toBe(0);
  },
);

testWith(headlessChromium)(
  'when an old revision is run again, the page says that the plan shows the new revision',
  async () => {
    const runId = await start({ text: 'old' });
    const page = await browser.open(`${server.url}/jobs/note?rerun=${runId}`);
    await page.getByText(`This runs ${runId} again at its revision`).waitFor();
    const changed = page.getByText(`The job has changed since ${runId}.`);
    expect(await changed.count()).toBe(0);
    await writeFile(join(server.root, 'jobs/note/run.sh'), '#!/bin/bash\necho new\n', { mode: 0o755 });
    await changed.waitFor();
  },
);

describe('if the connection breaks before the answer to a rerun arrives', () => {
  const rerunsOf = async (runId: string): Promise<number> => {
    const { runs } = JSON.parse(await (await server.fetch('/runs?limit=1000')).text());
    const all = await Promise.all(
      runs.map(async ({ run_id: id }: { run_id: string }) =>
        JSON.parse(await (await server.fetch(`/runs/${id}`)).text()),
      ),
    );
    return all.filter(({ rerun_of: of }) => of === runId).length;
  };
  /** The server handles the first request, but its response does not reach the page. */
  const breakFirst = async (page: Page): Promise<void> => {
    await page.route(
      '**/rerun',
      async (route) => {
        await route.fetch();
        await route.abort();
      },
      { times: 1 },
    );
  };

  testWith(headlessChromium)('pressing the button again does not create a second run', async () => {
    const runId = await start({ text: 'once' });
    const page = await browser.open(`${server.url}/runs/${runId}`);
    await breakFirst(page);
    await page.getByRole('button', { name: 'Run again', exact: true }).click();
    await page.getByRole('alert').filter({ hasText: 'No server can be reached' }).waitFor();
    await page.getByRole('button', { name: 'Run again', exact: true }).click();
    await page.getByText('as a rerun of an earlier run').waitFor();
    expect(await rerunsOf(runId)).toBe(1);
    await page.goto(`${server.url}/runs/${runId}`);
    await page.getByRole('button', { name: 'Run again', exact: true }).click();
    await page.getByText('as a rerun of an earlier run').waitFor();
    expect(await rerunsOf(runId)).toBe(2);
  });

  testWith(headlessChromium)('submitting the changed arguments again does not create a second run', async () => {
    const runId = await start({ text: 'once' });
    const page = await browser.open(`${server.url}/jobs/note?rerun=${runId}`);
    await page.getByText(`This runs ${runId} again at its revision`).waitFor();
    await breakFirst(page);
    await page.getByRole('button', { name: /^Run again/ }).click();
    await page.getByRole('alert').filter({ hasText: 'No server can be reached' }).waitFor();
    await page.getByRole('button', { name: /^Run again/ }).click();
    await page.getByText('as a rerun of an earlier run').waitFor();
    expect(await rerunsOf(runId)).toBe(1);
  });

  testWith(headlessChromium)('rerunning the selected runs again does not create a second run', async () => {
    const runId = await start({ text: 'once' });
    const page = await browser.open(`${server.url}/runs?q=${runId}`);
    await breakFirst(page);
    for (const said of ['Started: 0 of 1.', 'Started: 1 of 1.']) {
      await page.getByRole('checkbox', { name: `Select ${runId}` }).check();
      await page.getByRole('button', { name: 'Run again' }).click();
      await page.getByText(said).waitFor();
    }
    expect(await rerunsOf(runId)).toBe(1);
  });
});
