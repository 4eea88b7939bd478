// Jobs in the browser: the list, the page of a job, and its start form.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, describe, expect } from 'vitest';
import { startServing } from '../server/serving.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { aBrowser, resize, settled } from './a-browser.ts';

/** Half a day from now, so that the schedule starts no run during the test. */
const hour = String((new Date().getUTCHours() + 12) % 24).padStart(2, '0');

const greeting = bash('echo "$who, $times times"; flwd_result "{\\"greeted\\": \\"$who\\"}"', {
  name: 'Greeting',
  description: 'Greets somebody',
  tags: ['demo'],
  schedules: [{ cron: `0 ${Number(hour)} * * *`, args: { who: 'Ada', mail: { to: 'ada@example.org' } } }],
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
    'disk/fails': bash('exit 3'),
    'demo/steps': bash('true', {
      command: undefined,
      steps: [
        { id: 'build', command: './run.sh' },
        { id: 'ask', approval: { text: 'Go on?' }, needs: ['build'] },
        { id: 'check', command: './run.sh', needs: ['ask'], always: true, matrix: { a: [1, 2], b: [1, 2] } },
      ],
    }),
    'demo/if-production': bash('true', {
      command: undefined,
      argspec: { type: 'object', properties: { env: { type: 'string', default: 'staging' } } },
      steps: [
        { id: 'build', command: './run.sh' },
        { id: 'ask', approval: { text: 'Go on?' }, needs: ['build'], if: 'args.env == "production"' },
      ],
    }),
    'stats/calls': bash('true', {
      command: undefined,
      steps: [
        { id: 'first', command: './run.sh' },
        { id: 'call', job: 'demo/greeting', args: { who: 'Ada' }, needs: ['first'], always: true },
      ],
    }),
    'stats/each': bash('true', {
      command: undefined,
      argspec: { type: 'object', properties: { hosts: { type: 'array', items: { type: 'string' } } } },
      steps: [{ id: 'deploy', command: './run.sh', foreach: 'args.hosts' }],
    }),
    'stats/idle': bash('true'),
    'stats/fails': bash('exit "$code"', {
      name: 'A title that is longer than the room that the name of the job and the facts leave to it',
      argspec: { type: 'object', properties: { code: { type: 'integer' } } },
    }),
    'stats/flaky': bash('if [ "$FLWD_MATRIX_DB" = pg ]; then exit "$code"; fi', {
      command: undefined,
      argspec: { type: 'object', properties: { code: { type: 'integer', default: 0 } } },
      steps: [
        { id: 'build', command: ['true'] },
        { id: 'test', command: './run.sh', needs: ['build'], matrix: { db: ['pg', 'lite'] } },
      ],
    }),
  },
});
afterAll(() => server.close());
const browser = aBrowser();

describe('jobs', () => {
  testWith(headlessChromium)(
    'are listed with their last and next runs, and invalid jobs with the position of the error',
    async () => {
      const page = await browser.open(`${server.url}/jobs`);
      const jobs = page.getByRole('table', { name: 'Jobs' });
      const greeting = jobs.getByRole('row').filter({ has: page.getByRole('link', { name: 'demo/greeting' }) });
      await expect.poll(() => greeting.textContent()).toMatch(new RegExp(`demo.*Never run.*${hour}:00`));
      const broken = jobs.getByRole('row').filter({ has: page.getByRole('link', { name: 'disk/broken' }) });
      await expect.poll(() => broken.textContent()).toMatch(/disk\/broken\/config\.yaml:\d+:\d+ ?\w+/);
      expect(await page.title()).toBe('Jobs – flwd');
    },
  );

  testWith(headlessChromium)('whose config.yaml cannot be read still show their runs and files', async () => {
    // This server does not execute runs, because an engine would try to start this one.
    await using quiet = await startServing({ jobs: { 'disk/broken': { 'config.yaml': 'command: [' } } });
    const run = await quiet.addRun({ jobId: 'disk/broken' });
    await run.move('claim');
    await run.finish();
    const page = await browser.open(`${quiet.url}/jobs/disk/broken`);
    const error = page.getByRole('alert').filter({ hasText: 'disk/broken/config.yaml:1' });
    await error.waitFor();
    const box = await error.boundingBox();
    const tabs = await page.getByRole('tablist').boundingBox();
    expect(tabs && box && tabs.y - (box.y + box.height)).toBeGreaterThanOrEqual(16);
    await page.getByRole('tab', { name: 'Runs 1', selected: true }).waitFor();
    const link = page.getByRole('table', { name: 'Runs' }).getByRole('link').first();
    expect(await link.getAttribute('href')).toBe(`/runs/${run.id}`);
    await page
      .getByRole('alert')
      .getByRole('link', { name: /^disk\/broken\/config\.yaml:1:/ })
      .first()
      .click();
    await page.getByRole('tab', { name: 'Code', selected: true }).waitFor();
    await page.getByRole('region', { name: 'Code of the job' }).getByText('command: [').waitFor();
    expect(new URL(page.url()).search).toBe('?tab=code&file=config.yaml&line=1');
    await page.getByRole('tab', { name: 'Schedules' }).click();
    await page.getByText('the schedules in its config.yaml cannot be read').waitFor();
    expect(await page.getByRole('tab', { name: 'Run', exact: true }).count()).toBe(0);
  });

  testWith(headlessChromium)('that do not exist link to their earlier runs and to all jobs', async () => {
    const page = await browser.open(`${server.url}/jobs/demo/none`);
    const alert = page.getByRole('alert').filter({ hasText: "The job 'demo/none' does not exist" });
    expect(await alert.getByRole('link', { name: 'Its runs' }).getAttribute('href')).toBe('/runs?q=job%3Ademo%2Fnone');
    expect(await alert.getByRole('button').count()).toBe(0);
    await alert.getByRole('link', { name: 'All jobs' }).click();
    await page.getByRole('heading', { level: 1, name: 'Jobs' }).waitFor();
  });

  testWith(headlessChromium)('that do not exist keep their error visible while the page reloads them', async () => {
    const page = await browser.open(`${server.url}/jobs/demo/none`);
    await page.getByRole('alert').filter({ hasText: 'does not exist' }).waitFor();
    await page.evaluate(`new MutationObserver(() => {
      if (document.getElementById('main').textContent.includes('Loading')) document.title = 'flickered';
    }).observe(document.body, { childList: true, subtree: true, characterData: true })`);
    for (let read = 1; read <= 2; read++) {
      const answer = await page.waitForResponse((response) => response.url().includes('/api/v1/jobs/demo'));
      expect(answer.status()).toBe(404);
    }
    await expect.poll(() => page.getByRole('alert').filter({ hasText: 'does not exist' }).count()).toBe(1);
    expect(await page.title()).not.toBe('flickered');
  });

  testWith(headlessChromium)(
    'can be filtered by text, namespace, tag and state, and the URL keeps the filter',
    async () => {
      const page = await browser.open(`${server.url}/jobs`);
      const rows = page.getByRole('table', { name: 'Jobs' }).locator('[data-row]');
      const search = page.getByRole('searchbox', { name: 'Search jobs' });
      await search.fill('how full');
      await expect.poll(() => rows.allTextContents()).toEqual(['disk/usage']);
      await page.reload();
      await expect.poll(() => rows.allTextContents()).toEqual(['disk/usage']);
      await search.fill('nothing such');
      await page.getByText('No job matches.').waitFor();
      await search.fill('');
      await page.getByRole('combobox', { name: 'Tag' }).click();
      await page.getByRole('option', { name: 'demo' }).click();
      await expect.poll(() => rows.allTextContents()).toEqual(['demo/greeting']);
      expect(page.url()).toContain('/jobs?tag=demo');
      await page.goto(`${server.url}/jobs`);
      await page.getByRole('button', { name: /^disk/ }).click();
      await expect.poll(() => rows.allTextContents()).toEqual(['disk/broken', 'disk/fails', 'disk/usage']);
      await page.getByRole('button', { name: /^Invalid/ }).click();
      await expect.poll(() => rows.allTextContents()).toEqual(['disk/broken']);
      expect(page.url()).toContain('/jobs?show=invalid');
    },
  );

  testWith(headlessChromium)(
    'are sorted by clicking a column header, and columns can be added; the URL keeps both',
    async () => {
      const page = await browser.open(`${server.url}/jobs`);
      const table = page.getByRole('table', { name: 'Jobs' });
      await table.getByRole('button', { name: 'Job', exact: true }).click();
      await expect.poll(() => table.locator('[data-row]').first().textContent()).toBe('stats/idle');
      expect(page.url()).toContain('sort=-job');
      // The only job with a schedule is first in both directions.
      for (const sort of ['sort=next', 'sort=-next']) {
        await table.getByRole('button', { name: 'Next', exact: true }).click();
        await expect.poll(() => page.url()).toContain(sort);
        await expect.poll(() => table.locator('[data-row]').first().textContent()).toBe('demo/greeting');
      }
      await page.getByRole('button', { name: 'Columns' }).click();
      await page.getByRole('checkbox', { name: 'Profile' }).check();
      await table.getByRole('columnheader', { name: 'Profile' }).waitFor();
      await page.reload();
      const usage = table.getByRole('row').filter({ has: page.getByRole('link', { name: 'disk/usage' }) });
      await usage.getByRole('cell', { name: 'secure' }).waitFor();
    },
  );

  testWith(headlessChromium)(
    'can be started from their row: a click opens the form, and with Shift the job runs at once',
    async () => {
      const page = await browser.open(`${server.url}/jobs`);
      const run = page.getByRole('button', { name: 'Run disk/usage' });
      await run.click();
      await page.waitForURL(/\/jobs\/disk\/usage$/);
      await page.goBack();
      await run.click({ modifiers: ['Shift'] });
      await page.waitForURL(/\/runs\/run_/);
      await page.goto(`${server.url}/jobs`);
      // This job needs an argument, so its form opens instead.
      await page.getByRole('button', { name: 'Run demo/greeting' }).click({ modifiers: ['Shift'] });
      await page.waitForURL(/\/jobs\/demo\/greeting$/);
    },
  );

  testWith(headlessChromium)(
    'can be found, marked, filtered and started with an argument by keyboard alone',
    async () => {
      const page = await browser.open(`${server.url}/jobs`);
      await page.getByRole('link', { name: 'demo/greeting' }).waitFor();
      await page.keyboard.press('/');
      await page.keyboard.type('greet');
      await expect.poll(() => page.locator('[data-row]').count()).toBe(1);
      await page.keyboard.press('Escape');
      await page.keyboard.press('j');
      await page.keyboard.press('Shift+Tab');
      await page.keyboard.press('Enter');
      const star = page.getByRole('button', { name: 'Favourite: demo/greeting' });
      await expect.poll(() => star.getAttribute('aria-pressed')).toBe('true');
      await page.getByRole('navigation', { name: 'Favourites' }).getByText('greeting').waitFor();
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await page.getByRole('textbox', { name: /^who/ }).waitFor();
      await page.getByRole('tab', { name: 'Run', exact: true }).focus();
      while ((await page.evaluate('document.activeElement.id')) !== 'field-0') await page.keyboard.press('Tab');
      await page.keyboard.type('Ada');
      await page.getByText('Starts at once').waitFor();
      await page.keyboard.press('Control+Enter');
      await page.waitForURL(/\/runs\/run_/);
    },
  );

  testWith(headlessChromium)('that fail can be listed with one key press', async () => {
    const { run_id: runId } = JSON.parse(
      await (await server.post('/runs', { job_id: 'disk/fails', async: false })).text(),
    );
    const page = await browser.open(`${server.url}/jobs`);
    await page
      .getByRole('row')
      .filter({ hasText: 'disk/fails' })
      .getByRole('link', { name: /^Failed/ })
      .waitFor();
    await page.getByRole('button', { name: 'Failing', exact: true }).focus();
    await page.keyboard.press('Enter');
    const rows = page.getByRole('table', { name: 'Jobs' }).locator('[data-row]');
    await expect.poll(() => rows.allTextContents()).toEqual(['disk/fails']);
    const last = page.getByRole('row').getByRole('link', { name: /Failed/ });
    await expect.poll(() => last.getAttribute('href')).toBe(`/runs/${runId}`);
  });

  testWith(headlessChromium)('that wait for an approval say so', async () => {
    await server.post('/runs', { job_id: 'demo/steps' });
    const page = await browser.open(`${server.url}/jobs`);
    await page
      .getByRole('row')
      .filter({ hasText: 'demo/steps' })
      .getByRole('link', { name: /^Approval/ })
      .waitFor();
    await page.getByText('1 waiting for approval').waitFor({ state: 'attached' });
  });

  testWith(headlessChromium)(
    'that do not exist yet are replaced by a note with the folder and the command that creates one',
    async () => {
      await using empty = await startServing({});
      const page = await browser.open(`${empty.url}/jobs`);
      await page.getByRole('heading', { name: 'No jobs yet' }).waitFor();
      const main = page.getByRole('main');
      await main.getByText(`${empty.root}/jobs`).waitFor();
      expect(await main.textContent()).toContain('flwd init jobs/hello');
    },
  );
});

testWith(headlessChromium)(
  'the list says if schedules are held or could not start a run, and shows the next times in one zone',
  async () => {
    await using one = await startServing({
      executes: true,
      jobs: {
        'ops/lacks': bash('true', { env: { KEY: { secret: 'absent' } }, schedules: [{ cron: '@reboot' }] }),
        'ops/held': bash('true', { schedules: [{ cron: '0 3 * * *' }] }),
        'ops/nightly': bash('true', { schedules: [{ cron: '30 2 * * *', timezone: 'Asia/Kolkata' }] }),
      },
    });
    const { schedules } = JSON.parse(await (await one.fetch('/schedules?job_id=ops/held')).text());
    expect((await one.post(`/schedules/${schedules[0].id}/hold`, {})).status).toBe(200);
    const page = await browser.open(`${one.url}/jobs`, { width: 1_440, timezone: 'UTC' });
    const jobs = page.getByRole('table', { name: 'Jobs' });
    await jobs.getByRole('row', { name: /lacks/ }).getByText('Did not start').waitFor();
    await jobs.getByRole('row', { name: /held/ }).getByText('Held', { exact: true }).waitFor();
    await jobs
      .getByRole('row', { name: /nightly/ })
      .getByText(/^(tomorrow )?21:00$/)
      .waitFor();
    await page.getByRole('button', { name: 'Failing', exact: true }).click();
    await expect.poll(() => jobs.getByRole('link', { name: /^ops\// }).allTextContents()).toEqual(['ops/lacks']);
  },
);

testWith(headlessChromium)('a job shows when its schedules start it, and which schedules are disabled', async () => {
  const page = await browser.open(`${server.url}/jobs/demo/greeting?tab=schedules`);
  const card = page.getByRole('region', { name: 'Schedules' });
  await expect
    .poll(() => card.textContent())
    .toMatch(new RegExp(`Every day at ${hour}:00[^]*who=Ada[^]*Next.*${hour}:00`));
  const body = { job_id: 'disk/usage', cron: '5 4 * * *', timezone: 'Europe/Berlin', enabled: false };
  expect((await server.post('/schedules', body)).status).toBe(201);
  await page.goto(`${server.url}/jobs/disk/usage?tab=schedules`);
  await expect.poll(() => card.textContent()).toMatch(/Every day at 04:05.*Europe\/Berlindisabled/);
});

testWith(headlessChromium)('the graph of a job fills the window, and the page does not scroll', async () => {
  for (const width of [1_440, 1_024, 390]) {
    const page = await browser.open(`${server.url}/jobs/demo/steps?tab=graph`, { width });
    const card = page.getByRole('region', { name: 'Steps' });
    await card.getByText('ask, asks').waitFor();
    const room = 900 - (width < 700 ? 52 + 12 : 16);
    const endOf = async (): Promise<number> => {
      const { y, height } = (await card.boundingBox()) ?? { y: 0, height: 0 };
      return y + height;
    };
    await expect.poll(endOf).toBeGreaterThan(room - 8);
    await expect.poll(() => page.evaluate('document.documentElement.scrollHeight')).toBe(900);
  }
});

testWith(headlessChromium)('the plan shows the notes of all steps without cutting them', async () => {
  const page = await browser.open(`${server.url}/jobs/stats/calls`);
  const note = page.getByRole('region', { name: 'What would happen' }).getByText(/^runs demo.+greeting, always$/);
  const cut = `[...document.querySelectorAll('[aria-label="Graph of the steps"] :is(li, span[aria-hidden])')]
    .filter((one) => one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight).length`;
  for (const width of [1_440, 1_024, 390]) {
    await resize(page, width, 900);
    await note.waitFor();
    await expect.poll(() => page.evaluate(cut)).toBe(0);
  }
});

testWith(headlessChromium)(
  'the header shows the whole name of the job and its last run at every width, however long the title',
  async () => {
    await server.post('/runs', { job_id: 'stats/fails', args: { code: 8 }, async: false });
    const h1 = "document.querySelector('h1')";
    for (const width of [1_440, 1_024, 720, 390]) {
      const page = await browser.open(`${server.url}/jobs/stats/fails?tab=runs`, { width });
      const name = page.getByRole('heading', { level: 1, name: /fails$/ });
      const last = page.locator('header').getByRole('link', { name: /^Failed .*(now|ago)$/ });
      await last.waitFor();
      await expect.poll(() => name.textContent()).toBe(width < 700 ? 'stats/fails' : 'fails');
      const cut = `(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(${h1})`;
      await expect.poll(() => page.evaluate(cut)).toBe(0);
      await expect
        .poll(() => page.evaluate('document.documentElement.scrollWidth - innerWidth'))
        .toBeLessThanOrEqual(0);
    }
  },
);

testWith(headlessChromium)('the runs of a job show why they failed, and their arguments', async () => {
  await server.post('/runs', { job_id: 'stats/fails', args: { code: 7 }, async: false });
  const page = await browser.open(`${server.url}/jobs/stats/fails?tab=runs`, { width: 1_440 });
  const failed = page.getByRole('table', { name: 'Runs' }).getByTitle('code=7');
  await expect.poll(() => failed.textContent()).toMatch(/exit.*7.* code=7$/i);
  const args = failed.getByText('code=7', { exact: true });
  await args.waitFor();
  await resize(page, 1_100, 900);
  await args.waitFor({ state: 'hidden' });
});

testWith(headlessChromium)('the form says under which condition a run may ask for an approval', async () => {
  const page = await browser.open(`${server.url}/jobs/demo/if-production`);
  await page.getByText('It may ask for an approval at ask, if args.env == "production".').waitFor();
});

testWith(headlessChromium)('a job shows its steps as a graph before any run', async () => {
  const page = await browser.open(`${server.url}/jobs/demo/steps?tab=graph`);
  const steps = page.getByRole('list', { name: 'Graph of the steps' }).getByRole('listitem');
  await expect
    .poll(() => steps.allTextContents())
    .toEqual([
      expect.stringMatching(/build/),
      expect.stringMatching(/ask, asks/),
      expect.stringMatching(/check.*×4.*always/),
    ]);
  await page.goto(`${server.url}/jobs/demo/steps`);
  await page.getByText('It asks for an approval at ask.').waitFor();
  const plan = page.getByRole('region', { name: 'What would happen' });
  await plan.getByRole('listitem').filter({ hasText: 'ask, asks' }).waitFor();
  // Steps that do not fit side by side are placed one below the other.
  const tops = async (): Promise<number[]> =>
    Promise.all((await steps.all()).map(async (step) => Math.round((await step.boundingBox())?.y ?? 0)));
  await page.goto(`${server.url}/jobs/demo/steps?tab=graph`);
  await expect.poll(async () => new Set(await tops()).size).toBe(1);
  await resize(page, 260, 844);
  await expect.poll(async () => new Set(await tops()).size).toBe(3);
});

testWith(headlessChromium)(
  'the graph of a job is drawn before its durations are known, and does not move when they are added',
  async () => {
    await server.post('/runs', { job_id: 'stats/calls', async: false });
    const page = await browser.open(`${server.url}/jobs/stats/idle`);
    const { promise: isSeen, resolve: seen } = Promise.withResolvers<void>();
    await page.route(/\/stats\/times\?/, async (route) => {
      await isSeen;
      await route.continue();
    });
    await page.goto(`${server.url}/jobs/stats/calls?tab=graph`);
    const steps = page.getByRole('list', { name: 'Graph of the steps' }).getByRole('listitem');
    const call = steps.filter({ hasText: /^call, runs demo/ });
    await call.waitFor();
    const before = await settled(page, () => call.boundingBox());
    seen();
    const timed = steps.filter({ hasText: /^call, \d.*s, runs demo/ });
    await timed.waitFor();
    const after = await settled(page, () => timed.boundingBox());
    expect([after?.y, after?.height]).toEqual([before?.y, before?.height]);
  },
);

testWith(headlessChromium)(
  'a foreach step shows no number of instances before a run, whatever earlier runs had',
  async () => {
    await server.post('/runs', { job_id: 'stats/each', args: { hosts: ['a', 'b'] }, async: false });
    for (const tab of ['', '?tab=graph']) {
      const page = await browser.open(`${server.url}/jobs/stats/each${tab}`);
      const steps = page.getByRole('list', { name: 'Graph of the steps' }).getByRole('listitem');
      await expect.poll(() => steps.allTextContents()).toEqual([expect.stringMatching(/^deploy, \d.*s, for each/)]);
      expect(await steps.textContent()).not.toContain('×');
    }
  },
);

testWith(headlessChromium)(
  'a job shows how often, on which days and at which steps it fails, and how long it takes',
  async () => {
    const ran = async (code: number): Promise<string> =>
      JSON.parse(await (await server.post('/runs', { job_id: 'stats/flaky', args: { code }, async: false })).text())
        .run_id;
    const failed = await ran(3);
    const page = await browser.open(`${server.url}/jobs/stats/flaky?tab=statistics`);
    const figures = page.locator('dl', { hasText: 'Median' });
    await expect
      .poll(() => figures.textContent())
      .toMatch(/Median–no complete run succeededp95–no complete run succeeded/);
    const header = page.locator('header dl');
    await expect.poll(() => header.textContent()).toMatch(/Success0 %/);
    for (let n = 0; n < 2; n++) await ran(0);
    await expect
      .poll(() => figures.textContent())
      .toMatch(/^Success rate66\.7 %1 of 3 failedMedian\d.*p95\d.*Runs30\.1 a dayStep with most failurestest1 time$/);
    await expect.poll(() => header.textContent()).toMatch(/Success66\.7 %/);

    const steps = page.getByRole('region', { name: 'Slowest steps' }).getByRole('row');
    await steps.filter({ hasText: /^test, slowest of 2 db=(pg|lite)\d.*1$/ }).waitFor();
    await steps.filter({ hasText: /^build\d.*0$/ }).waitFor();
    const day = page.getByRole('region', { name: 'Every day' }).getByRole('link', { name: /: 3 runs, 1 failed$/ });
    expect(new URL((await day.getAttribute('href')) ?? '', server.url).searchParams.get('q')).toMatch(
      /^job:stats\/flaky since:\d{4}-.* until:/,
    );
    // On a phone, the oldest weeks are left out.
    await resize(page, 390, 844);
    await expect.poll(async () => (await day.boundingBox())?.x ?? 390).toBeLessThan(370);
    await resize(page, 1_280, 800);
    await page.getByRole('button', { name: 'As table' }).click();
    const runs = page.getByRole('region', { name: 'Duration of each run' }).getByRole('row');
    await expect.poll(() => runs.count()).toBe(4);
    const link = runs.filter({ hasText: 'Failed' }).getByRole('link');
    await expect.poll(() => link.getAttribute('href')).toBe(`/runs/${failed}`);

    await page.getByRole('button', { name: '7 d' }).click();
    await page.waitForURL(/range=7d/);
    await figures.getByText('0.4 a day').waitFor();
    await ran(3);
    await figures.getByText('2 of 4 failed').waitFor();
    await page.goto(`${server.url}/jobs/stats/idle?tab=statistics`);
    await page.getByText('No run has ended in the last 30 days.').waitFor();
  },
);

describe('a form', () => {
  testWith(headlessChromium)(
    'has a suitable input for each argument, and starts the job with the typed arguments',
    async () => {
      const page = await browser.open(`${server.url}/jobs/demo/greeting`);
      const form = page.getByRole('form', { name: 'Arguments' });
      await form.getByRole('textbox', { name: /^who/ }).fill('Ada');
      await form.getByRole('textbox', { name: /^times/ }).fill('2');
      await form.getByRole('checkbox', { name: 'loud' }).check();
      await form.getByRole('group', { name: 'mode' }).getByRole('button', { name: 'slow' }).click();
      await form.getByLabel('token', { exact: true }).fill('hush-hush');
      await form.getByRole('textbox', { name: 'words' }).fill('a');
      await form.getByRole('textbox', { name: 'words' }).press('Enter');
      await form.getByRole('textbox', { name: 'words' }).fill('b');
      await form.getByRole('group', { name: 'mail' }).getByRole('textbox', { name: 'to' }).fill('ada@example.org');
      await form.getByRole('textbox', { name: 'extra' }).fill('{"n": [1]}');
      const plan = page.getByRole('region', { name: 'What would happen' });
      await plan.getByText('who = Ada').waitFor();
      await expect.poll(() => plan.textContent()).toMatch(/Profile\s*secure[\s\S]*Network\s*none/);
      expect(await plan.textContent()).not.toContain('hush-hush');
      await page.getByText('Starts at once').waitFor();
      await form.getByRole('button', { name: /^Run/ }).click();
      await page.getByText(/Succeeded in/).waitFor();
      await page.getByText('local in the console').waitFor();
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

  testWith(headlessChromium)(
    'shows an error of the server beside its field, once the user has touched the field',
    async () => {
      const page = await browser.open(`${server.url}/jobs/demo/greeting`);
      const form = page.getByRole('form', { name: 'Arguments' });
      await page.getByText('1 required value is missing.').waitFor();
      const plan = page.getByRole('region', { name: 'What would happen' });
      await expect.poll(() => plan.textContent()).toMatch(/Profile\s*secure[\s\S]*see what else the run may do/);
      expect(await form.locator('[data-error]').count()).toBe(0);
      await form.getByRole('textbox', { name: /^who/ }).fill('Ada Lovelace');
      const errorOf = async (name: RegExp): Promise<string | null> => {
        const [, faultId = ''] = (await form.getByLabel(name).getAttribute('aria-describedby'))?.split(' ') ?? [];
        return page.locator(`#${faultId}`).textContent();
      };
      await expect.poll(() => errorOf(/^who/)).toBe('must have at most 8 characters');
      await expect.poll(() => form.getByLabel(/^who/).getAttribute('aria-invalid')).toBe('true');
      await form.getByRole('textbox', { name: /^times/ }).fill('often');
      await expect.poll(() => errorOf(/^times/)).toBe('must be a whole number');
      await form.getByRole('button', { name: /^Run/ }).click();
      await expect.poll(() => page.evaluate('document.activeElement.id')).toBe('field-0');
      expect(page.url()).toMatch(/\/jobs\/demo\/greeting$/);
    },
  );

  testWith(headlessChromium)('is filled in from an earlier run, without its secret', async () => {
    const args = { who: 'Grace', words: ['x'], mail: { to: 'g@example.org' }, token: 'hush-hush' };
    const { run_id: runId } = JSON.parse(await (await server.post('/runs', { job_id: 'demo/greeting', args })).text());
    const page = await browser.open(`${server.url}/jobs/demo/greeting`);
    await page.getByRole('link', { name: `Fill in the arguments of ${runId}` }).click();
    await expect.poll(() => page.getByLabel(/^who/).inputValue()).toBe('Grace');
    await page.getByRole('button', { name: 'Remove x from words' }).waitFor();
    await expect.poll(() => page.getByRole('textbox', { name: 'to', exact: true }).inputValue()).toBe('g@example.org');
    expect(await page.getByLabel('token', { exact: true }).inputValue()).toBe('');
  });

  testWith(headlessChromium)('can be written as JSON, for arguments that fit no field', async () => {
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
    await page.getByText('Starts at once').waitFor();
    await form.getByRole('button', { name: 'As fields' }).click();
    await expect.poll(() => form.getByLabel(/^times/).inputValue()).toBe('4');
    await form.getByRole('button', { name: /^Run/ }).click();
    await page.getByRole('log').getByText('Ada, 4 times').waitFor();
  });

  testWith(headlessChromium)('reruns a run with changes, and keeps its secret', async () => {
    const args = { who: 'Alan', times: 2, token: 'hush-hush' };
    const answer = await server.post('/runs', { job_id: 'demo/greeting', args, async: false });
    const { run_id: runId } = JSON.parse(await answer.text());
    const page = await browser.open(`${server.url}/runs/${runId}`);
    await page.getByRole('button', { name: 'Other ways to run it again' }).click();
    await page.getByRole('menuitem', { name: 'Run again with changes' }).click();
    await expect.poll(() => page.getByLabel(/^who/).inputValue()).toBe('Alan');
    await page.getByLabel(/^times/).fill('5');
    await page.getByRole('button', { name: /^Run again/ }).click();
    await page.getByText('as a rerun of an earlier run').waitFor();
    await page.getByRole('log').getByText('Alan, 5 times').waitFor();
    const again = JSON.parse(await (await server.fetch(`/runs/${page.url().split('/').at(-1)}`)).text());
    expect(again.args).toMatchObject({ who: 'Alan', times: 5 });
    expect(Object.keys(again.args)).toContain('token');
  });

  testWith(headlessChromium)('neither shows nor sends a typed secret once a stored one is chosen', async () => {
    const page = await browser.open(`${server.url}/jobs/demo/greeting`);
    const token = page.getByLabel('token', { exact: true });
    const stored = page.getByRole('checkbox', { name: 'Use a stored secret' });
    await page.getByLabel(/^who/).fill('Ada');
    const planned = page.waitForRequest((request) => request.postData()?.includes('hunter2') === true);
    await token.fill('hunter2');
    await planned;
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

  testWith(headlessChromium)(
    'can be copied as a command that does the same, with a stored secret by name',
    async () => {
      const put = { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{"value": "hush-hush"}' };
      expect((await server.fetch('/secrets/greeter', put)).status).toBe(201);
      const page = await browser.open(`${server.url}/jobs/demo/greeting`);
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
      await page.getByLabel(/^who/).fill("O'Neil");
      // A name that is typed before the box is checked is kept.
      await page.getByLabel('token', { exact: true }).fill('greeter');
      await page.getByRole('checkbox', { name: 'Use a stored secret' }).check();
      await expect.poll(() => page.getByLabel('token', { exact: true }).inputValue()).toBe('greeter');
      await page.getByText('Starts at once').waitFor();
      await page.getByRole('button', { name: 'curl' }).click();
      await page.getByText('Copied').waitFor();
      const command: string = await page.evaluate('navigator.clipboard.readText()');
      // The arguments that a shell would pass to curl.
      const { stdout } = await promisify(execFile)('bash', ['-c', `curl() { printf '%s\\n' "$@"; }; ${command}`]);
      const [url = '', option, header, data, body = ''] = stdout.split('\n');
      expect([option, header, data]).toEqual(['-H', 'content-type: application/json', '-d']);
      const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      const { run_id: runId } = JSON.parse(await answer.text());
      const run = JSON.parse(await (await server.fetch(`/runs/${runId}`)).text());
      expect(run.args.who).toBe("O'Neil");
      await page.getByRole('button', { name: 'flwd' }).click();
      await expect
        .poll(() => page.evaluate('navigator.clipboard.readText()'))
        .toBe(`flwd --remote ${server.url} demo/greeting --who 'O'\\''Neil' --token.stored greeter`);
    },
  );
});

testWith(headlessChromium)(
  'from the palette, a job can be chosen, filled in and started by keyboard alone',
  async () => {
    const page = await browser.open(`${server.url}/runs`);
    const focused = page.locator(':focus');
    const open = async (text: string) => {
      await page.keyboard.press('Control+k');
      await page.keyboard.type(text);
      await page.getByRole('option', { name: /^Run / }).first().waitFor();
      await page.keyboard.press('Enter');
    };
    await page.getByRole('heading', { level: 1, name: 'Runs' }).waitFor();
    await open('>demo/greeting');
    await page.getByLabel('who').and(focused).waitFor();
    // The field also gets the focus if the user is on the job's page, or if the console already knows the job.
    await page.getByRole('button', { name: 'As JSON' }).focus();
    await open('>demo/greeting');
    await page.getByLabel('who').and(focused).waitFor();
    await page.goto(`${server.url}/jobs`);
    await page
      .getByRole('link', { name: /demo\/greeting|greeting/ })
      .first()
      .waitFor();
    await open('>demo/greeting');
    await page.getByLabel('who').and(focused).waitFor();
    await page.keyboard.press('Control+Enter');
    await page.getByText('Some arguments need attention.').or(page.locator('[data-error]')).first().waitFor();
    await page.locator('summary').filter({ hasText: 'More' }).click();
    await page.getByLabel('Priority').fill('high');
    await page.getByLabel('who').fill('Ada');
    await page.keyboard.press('Control+Enter');
    await page.getByLabel('Priority').and(focused).waitFor();
    await page.getByLabel('Priority').fill('1');
    await page.keyboard.press('Control+Enter');
    await page.waitForURL('**/runs/run_*');
    // In a job without arguments, the button gets the focus.
    await open('>disk/usage');
    await page.getByRole('button', { name: /^Run/ }).and(focused).waitFor();
  },
);

testWith(headlessChromium)('the palette takes the focus at once, and returns it when it is closed', async () => {
  const page = await browser.open(`${server.url}/jobs`);
  const focused = page.locator(':focus');
  const search = page.getByRole('searchbox').first();
  await search.focus();
  const role = await page.evaluate(`(async () => {
    document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'k', ctrlKey: true, bubbles: true }));
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    return document.activeElement.getAttribute('role');
  })()`);
  expect(role).toBe('combobox');
  await page.keyboard.press('Escape');
  await search.and(focused).waitFor();
});

testWith(headlessChromium)('a job without schedules shows the command that creates one', async () => {
  const page = await browser.open(`${server.url}/jobs/disk/fails?tab=schedules`);
  await page.getByText('The job has no schedules.').waitFor();
  await page.getByText("flwd schedules add disk/fails --cron '0 3 * * *'", { exact: true }).waitFor();
});

testWith(headlessChromium)('Enter selects the job that has been typed', async () => {
  const page = await browser.open(`${server.url}/schedules?form=new`);
  await page.getByRole('combobox', { name: 'Job' }).fill('usage');
  await page.getByRole('option', { name: 'disk/usage' }).waitFor();
  await page.keyboard.press('Enter');
  await page.getByText('The job takes no arguments.').waitFor();
  expect(await page.getByRole('combobox', { name: 'Job' }).inputValue()).toBe('disk/usage');
});
