// Jobs in the browser: the list, the page of a job, and its start form.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, describe, expect } from 'vitest';
import { startServing } from '../server/serving.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { aBrowser } from './a-browser.ts';

const greeting = bash('echo "$who, $times times"; flwd_result "{\\"greeted\\": \\"$who\\"}"', {
  name: 'Greeting',
  description: 'Greets somebody',
  tags: ['demo'],
  schedules: [{ cron: '0 3 * * *', args: { who: 'Ada', mail: { to: 'ada@example.org' } } }],
  argspec: {
    type: 'object',
    required: ['who'],
    properties: {
      who: { type: 'string', maxLength: 8, description: 'Whom to greet', examples: ['Ada'] },
      times: { type: 'integer', minimum: 1, maximum: 9, default: 3 },
      loud: { type: 'boolean', default: false },
      mode: { enum: ['fast', 'slow'], default: 'fast' },
      token: { type: 'string', format: 'secret' },
      words: { type: 'array', items: { type: 'string', maxLength: 5 } },
      mail: { type: 'object', required: ['to'], properties: { to: { type: 'string', format: 'email' } } },
      extra: {},
    },
  },
});

const server = await startServing({
  executes: true,
  jobs: {
    'demo/greeting': greeting,
    'disk/usage': bash('true', { name: 'How full the disks are' }),
    'disk/broken': { 'config.yaml': 'command: [' },
  },
});
afterAll(() => server.close());
const browser = aBrowser();

describe('jobs', () => {
  testWith('chromium')(
    'are listed with their last and next runs, and invalid ones with the place of the error',
    async () => {
      const page = await browser.open(server.url);
      const jobs = page.getByRole('list', { name: 'Jobs' });
      await jobs.getByRole('link', { name: 'demo/greeting' }).waitFor();
      await expect.poll(() => jobs.getByRole('listitem').first().textContent()).toMatch(/no runs\s*next in/);
      const invalid = page.getByRole('region', { name: 'Invalid jobs' });
      expect(await invalid.textContent()).toMatch(/disk\/broken\s*disk\/broken\/config\.yaml:\d+:\d+ \w+/);
      expect(await page.title()).toBe('Jobs – flwd');
      await page.getByRole('status').filter({ hasText: 'healthy' }).waitFor();
    },
  );

  testWith('chromium')('that do not exist keep their error on the page while it is read again', async () => {
    const page = await browser.open(`${server.url}/jobs/demo/none`);
    await page.getByRole('alert').filter({ hasText: 'Job Not Found' }).waitFor();
    await page.evaluate(`new MutationObserver(() => {
      if (document.getElementById('main').textContent.includes('Loading')) document.title = 'flickered';
    }).observe(document.body, { childList: true, subtree: true, characterData: true })`);
    for (let read = 1; read <= 2; read++) {
      const answer = await page.waitForResponse((response) => response.url().includes('/api/v1/jobs/demo'));
      expect(answer.status()).toBe(404);
    }
    await expect.poll(() => page.getByRole('alert').filter({ hasText: 'Job Not Found' }).count()).toBe(1);
    expect(await page.title()).not.toBe('flickered');
  });

  testWith('chromium')('are searched by text, namespace and tag, and the URL keeps the search', async () => {
    const page = await browser.open(server.url);
    await page.getByRole('searchbox', { name: 'Search jobs' }).fill('how full');
    await page.getByText('1 of 2 jobs').waitFor();
    expect(await page.getByRole('list', { name: 'Jobs' }).textContent()).toContain('disk/usage');
    await page.reload();
    await page.getByText('1 of 2 jobs').waitFor();
    await page.getByRole('searchbox', { name: 'Search jobs' }).fill('nothing such');
    await page.getByText('No jobs match.').waitFor();
    await page.getByRole('searchbox', { name: 'Search jobs' }).fill('');
    await page.getByRole('combobox', { name: 'Tag' }).selectOption('demo');
    await page.getByText('1 of 2 jobs').waitFor();
    expect(page.url()).toContain('/jobs?tag=demo');
  });
});

testWith('chromium')('a job shows when its schedules start it, and which are disabled', async () => {
  const page = await browser.open(`${server.url}/jobs/demo/greeting`);
  const facts = page.locator('.facts').first();
  await expect.poll(() => facts.textContent()).toMatch(/Schedules\s*0 3 \* \* \* \S+, next in \d+/);
  const body = { job_id: 'disk/usage', cron: '5 4 * * *', timezone: 'Europe/Berlin', enabled: false };
  expect((await server.post('/schedules', body)).status).toBe(201);
  await page.goto(`${server.url}/jobs/disk/usage`);
  await expect.poll(() => facts.textContent()).toMatch(/Schedules\s*5 4 \* \* \* Europe\/Berlin, disabled/);
});

describe('a form', () => {
  testWith('chromium')(
    'has a fitting input for each argument, and starts the job with the typed arguments',
    async () => {
      const page = await browser.open(`${server.url}/jobs/demo/greeting`);
      const form = page.getByRole('form', { name: 'Arguments' });
      await form.getByRole('textbox', { name: /^who/ }).fill('Ada');
      await form.getByRole('textbox', { name: /^times/ }).fill('2');
      await form.getByRole('combobox', { name: 'loud' }).selectOption('true');
      await form.getByRole('combobox', { name: 'mode' }).selectOption('slow');
      await form.getByLabel('token', { exact: true }).fill('hush-hush');
      await form.getByRole('button', { name: 'Add to words' }).click();
      await form.getByRole('textbox', { name: 'words, item 1' }).fill('a');
      await form.getByRole('button', { name: 'Add to words' }).click();
      await form.getByRole('textbox', { name: 'words, item 2' }).fill('b');
      await form.getByRole('group', { name: 'mail' }).getByRole('textbox', { name: 'to' }).fill('ada@example.org');
      await form.getByRole('textbox', { name: 'extra' }).fill('{"n": [1]}');
      const plan = page.getByRole('region', { name: 'Plan' });
      await plan.getByText('who = Ada').waitFor();
      expect(await plan.textContent()).toMatch(/Profile\s*secure[\s\S]*Network\s*none/);
      expect(await plan.textContent()).not.toContain('hush-hush');
      await form.getByText('Starts at once').waitFor();
      await form.getByRole('button', { name: 'Start', exact: true }).click();
      await page.getByText(/Succeeded in/).waitFor();
      await page.getByText('Started by local in the console').waitFor();
      const runId = page.url().split('/').at(-1);
      const run = JSON.parse(await (await server.fetch(`/runs/${runId}`)).text());
      expect(run.args).toMatchObject({
        who: 'Ada',
        times: 2,
        loud: true,
        mode: 'slow',
        words: ['a', 'b'],
        mail: { to: 'ada@example.org' },
        extra: { n: [1] },
      });
      expect(JSON.stringify(run)).not.toContain('hush-hush');
    },
  );

  testWith('chromium')(
    'shows an error of the server beside its field, once the user has touched the field',
    async () => {
      const page = await browser.open(`${server.url}/jobs/demo/greeting`);
      const form = page.getByRole('form', { name: 'Arguments' });
      await form.getByText('1 required value is missing.').waitFor();
      expect(await form.locator('.fault:not(:empty)').count()).toBe(0);
      await form.getByRole('textbox', { name: /^who/ }).fill('Ada Lovelace');
      const errorOf = (name: RegExp) =>
        form
          .locator('.field')
          .filter({ has: page.getByLabel(name) })
          .locator('.fault');
      await expect.poll(() => errorOf(/^who/).textContent()).toBe('must have at most 8 characters');
      expect(await form.getByLabel(/^who/).getAttribute('aria-invalid')).toBe('true');
      await form.getByRole('textbox', { name: /^times/ }).fill('often');
      await expect.poll(() => errorOf(/^times/).textContent()).toBe('must be a whole number');
      await form.getByRole('button', { name: 'Start', exact: true }).click();
      await form.getByRole('alert').waitFor();
      expect(page.url()).toMatch(/\/jobs\/demo\/greeting$/);
    },
  );

  testWith('chromium')('is filled in from an earlier run, without its secret', async () => {
    const args = { who: 'Grace', words: ['x'], mail: { to: 'g@example.org' }, token: 'hush-hush' };
    const { run_id: runId } = JSON.parse(await (await server.post('/runs', { job_id: 'demo/greeting', args })).text());
    const page = await browser.open(`${server.url}/jobs/demo/greeting`);
    const row = page.getByRole('list', { name: 'Runs' }).getByRole('listitem').filter({ hasText: runId });
    await row.getByRole('link', { name: 'Start with these arguments' }).click();
    await expect.poll(() => page.getByLabel(/^who/).inputValue()).toBe('Grace');
    expect(await page.getByRole('textbox', { name: 'words, item 1' }).inputValue()).toBe('x');
    expect(await page.getByRole('textbox', { name: 'to', exact: true }).inputValue()).toBe('g@example.org');
    expect(await page.getByLabel('token', { exact: true }).inputValue()).toBe('');
  });

  testWith('chromium')('can be written as JSON, for arguments that fit no field', async () => {
    const page = await browser.open(`${server.url}/jobs/demo/greeting`);
    const form = page.getByRole('form', { name: 'Arguments' });
    await form.getByLabel(/^who/).fill('Ada');
    await form.getByLabel('token', { exact: true }).fill('hush-hush');
    await form.getByRole('button', { name: 'As JSON' }).click();
    const text = form.getByRole('textbox', { name: 'Arguments as JSON' });
    expect(JSON.parse(await text.inputValue())).toEqual({ who: 'Ada' });
    await text.fill('{"who": ');
    await form.getByText('This is not valid JSON yet.').waitFor();
    await text.fill('{"who": "Ada", "times": 99}');
    await form.getByText('times must be at most 9').waitFor();
    await text.fill('{"who": "Ada", "times": 4}');
    await form.getByText('Starts at once').waitFor();
    await form.getByRole('button', { name: 'As fields' }).click();
    expect(await form.getByLabel(/^times/).inputValue()).toBe('4');
    await form.getByRole('button', { name: 'Start', exact: true }).click();
    await page.getByRole('log').getByText('Ada, 4 times').waitFor();
  });

  testWith('chromium')('reruns a run with changes, and keeps its secret', async () => {
    const args = { who: 'Alan', times: 2, token: 'hush-hush' };
    const answer = await server.post('/runs', { job_id: 'demo/greeting', args, async: false });
    const { run_id: runId } = JSON.parse(await answer.text());
    const page = await browser.open(`${server.url}/runs/${runId}`);
    await page.getByRole('link', { name: 'Rerun with edits' }).click();
    await expect.poll(() => page.getByLabel(/^who/).inputValue()).toBe('Alan');
    await page.getByLabel(/^times/).fill('5');
    await page.getByRole('button', { name: 'Rerun' }).click();
    await page.getByText(`as a rerun of ${runId}`).waitFor();
    await page.getByRole('log').getByText('Alan, 5 times').waitFor();
    const again = JSON.parse(await (await server.fetch(`/runs/${page.url().split('/').at(-1)}`)).text());
    expect(again.args).toMatchObject({ who: 'Alan', times: 5 });
    expect(Object.keys(again.args)).toContain('token');
  });

  testWith('chromium')('neither shows nor sends a typed secret once a stored one is chosen', async () => {
    const page = await browser.open(`${server.url}/jobs/demo/greeting`);
    const token = page.getByLabel('token', { exact: true });
    const stored = page.getByRole('checkbox', { name: 'use a stored secret' });
    await page.getByLabel(/^who/).fill('Ada');
    await token.fill('hunter2');
    await page.getByText('Starts at once').waitFor();
    const sent: string[] = [];
    page.on('request', (request) => sent.push(request.postData() ?? ''));
    const listed = page.waitForResponse((response) => response.url().endsWith('/secrets'));
    await stored.check();
    await listed;
    await page.getByLabel(/^who/).fill('Alan');
    await expect.poll(() => sent.some((body) => body.includes('Alan'))).toBe(true);
    expect(await token.inputValue()).toBe('');
    expect(sent.join('\n')).not.toContain('hunter2');
    await stored.uncheck();
    expect([await token.inputValue(), await token.getAttribute('type')]).toEqual(['hunter2', 'password']);
  });

  testWith('chromium')('is copied as a command that does the same, with a stored secret by name', async () => {
    const put = { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{"value": "hush-hush"}' };
    expect((await server.fetch('/secrets/greeter', put)).status).toBe(201);
    const page = await browser.open(`${server.url}/jobs/demo/greeting`);
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.getByLabel(/^who/).fill("O'Neil");
    // A name that was typed before the box was ticked is kept.
    await page.getByLabel('token', { exact: true }).fill('greeter');
    await page.getByRole('checkbox', { name: 'use a stored secret' }).check();
    await expect.poll(() => page.getByLabel('token', { exact: true }).inputValue()).toBe('greeter');
    await page.getByText('Starts at once').waitFor();
    await page.getByRole('button', { name: 'Copy as curl' }).click();
    await page.getByText('Copied.').waitFor();
    const command: string = await page.evaluate('navigator.clipboard.readText()');
    // The arguments that the shell would pass to curl.
    const { stdout } = await promisify(execFile)('bash', ['-c', `curl() { printf '%s\\n' "$@"; }; ${command}`]);
    const [url = '', option, header, data, body = ''] = stdout.split('\n');
    expect([option, header, data]).toEqual(['-H', 'content-type: application/json', '-d']);
    const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    const { run_id: runId } = JSON.parse(await answer.text());
    const run = JSON.parse(await (await server.fetch(`/runs/${runId}`)).text());
    expect(run.args.who).toBe("O'Neil");
    await page.getByRole('button', { name: 'Copy as flwd' }).click();
    await expect
      .poll(() => page.evaluate('navigator.clipboard.readText()'))
      .toBe(`flwd --remote ${server.url} run demo/greeting --args '{"who":"O'\\''Neil","token":{"secret":"greeter"}}'`);
  });
});
