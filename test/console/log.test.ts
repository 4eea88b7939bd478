// The log of a run in the browser. The reader keeps their place, however much is added and however long the lines are.

import type { Locator, Page } from 'playwright-core';
import { afterAll, describe, expect } from 'vitest';
import { stepIdOfSingle } from '../../src/domain/job.ts';
import { startServing } from '../server/serving.ts';
import { expectWithin, msOf } from '../support/goes.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { aBrowser, choose, resize, settled } from './a-browser.ts';

const million = 1_000_000;
const rs = String.fromCharCode(0x1e);

const server = await startServing({
  executes: true,
  jobs: {
    // Errors are rare and far apart.
    'demo/loud': bash(
      `awk 'BEGIN { for (n = 1; n <= ${million}; n++) if (n % 1000 == 1 && n <= 300000) printf "\\036eerror %d\\n", n; else printf "line %d of many\\n", n }'`,
    ),
    // All lines are on one stream, so that they stay in this order.
    'demo/tests': bash(
      `for n in {1..400}; do echo "ok $n"; done; printf '\\036enot ok 401\\n\\036e  at cart.test.ts:88\\n'
       for n in {402..700}; do echo "ok $n"; done; printf '\\036eerror: 1 test failed\\n'; exit 1`,
    ),
    'demo/target': bash('for n in {1..3}; do echo "uploads part $n"; done'),
    'demo/ships': {
      'config.yaml': JSON.stringify({
        steps: [
          { id: 'build', script: './build.sh' },
          { id: 'ship', job: 'demo/target', needs: ['build'] },
          { id: 'report', script: './report.sh', needs: ['ship'] },
          { id: 'all', job: 'demo/target', needs: ['build'], foreach: '["a", "b"]' },
        ],
      }),
      'build.sh': '#!/usr/bin/env bash\necho builds\n',
      'report.sh': '#!/usr/bin/env bash\necho reports\n',
    },
    'demo/matrix': {
      'config.yaml': JSON.stringify({
        steps: [
          { id: 'build', script: './build.sh', matrix: { os: ['linux', 'mac'] } },
          { id: 'holds', script: './holds.sh', needs: ['build'] },
          { id: 'ship', script: './build.sh', needs: ['holds'] },
        ],
      }),
      'build.sh': '#!/usr/bin/env bash\necho built\n',
      'holds.sh': '#!/usr/bin/env bash\necho "goes on"\nexec sleep 600\n',
    },
    'demo/retried': {
      'config.yaml': JSON.stringify({
        steps: [
          { id: 'fetches', script: './fetches.sh', retry: { limit: 1, delay: '10ms' } },
          { id: 'tests', job: 'demo/tests', needs: ['fetches'], foreach: '["a"]' },
        ],
      }),
      'fetches.sh': '#!/usr/bin/env bash\nif [ "$FLWD_ATTEMPT" = 1 ]; then printf "\\036ebusy\\n"; exit 1; fi\n',
    },
    'demo/fails': {
      'config.yaml': JSON.stringify({
        steps: [
          { id: 'begin', script: './begin.sh' },
          { id: 'ask', approval: { text: 'Shall it go on?' }, needs: ['begin'] },
          { id: 'fails', script: './fails.sh', needs: ['ask'] },
        ],
      }),
      'begin.sh': '#!/usr/bin/env bash\necho begins\n',
      'fails.sh': '#!/usr/bin/env bash\necho fails\nexit 3\n',
    },
  },
});
/** A server on which only the tests write log lines. */
const quiet = await startServing();
afterAll(() => Promise.all([server.close(), quiet.close()]));
const browser = aBrowser();

const log = (page: Page) => page.getByRole('log', { name: 'Log' });
const toEnd = (page: Page) => page.getByRole('button', { name: /To the end|new line/ });

/** Returns how many pixels of the log are below the lower edge of the pane. */
const belowEnd = (page: Page): Promise<number> =>
  page.evaluate<number>(
    '(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight)(document.querySelector("[role=log]"))',
  );

/** Returns whether a line is wider than the pane. */
const isWide = (page: Page): Promise<boolean> =>
  page.evaluate<boolean>(
    '(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)(document.querySelector("[role=log]"))',
  );

/** Returns the number of the line at the upper edge of the pane. */
const firstInSight = (page: Page): Promise<number> =>
  page.evaluate<number>(`(() => {
    const { top } = document.querySelector('[role=log]').getBoundingClientRect();
    const rows = [...document.querySelectorAll('[role=log] [data-level]')];
    return Number(rows.find((row) => row.getBoundingClientRect().bottom > top + 1)?.dataset.seq);
  })()`);

async function scroll(page: Page, by: number): Promise<void> {
  await log(page).hover();
  await page.mouse.wheel(0, by);
}

/** Creates a log of 600 lines. When wrapped, each line is a dozen rows high. */
async function aLogOfLongLines() {
  const run = await quiet.addRun();
  await run.move('claim');
  await run.print(...Array.from({ length: 600 }, (_, n) => `${n + 1} ${'lorem ipsum '.repeat(16 + ((n * 37) % 208))}`));
  return run;
}

testWith(headlessChromium)('a line that was printed while no server was running is marked', async () => {
  const run = await quiet.addRun();
  const writer = await quiet.store.logs.openWriter({ runId: run.id, epoch: 0, maxSizeBytes: 1_000 });
  const part = { attempt: 1, stepId: stepIdOfSingle };
  writer.append({ ...part, bytes: Buffer.from('as usual\n'), spoolEnd: 9 });
  writer.append({ ...part, bytes: Buffer.from('alone\n'), spoolEnd: 15, isRecovered: true });
  await writer.close();
  const page = await browser.open(`${quiet.url}/runs/${run.id}`);
  const times = log(page).locator('time');
  await expect
    .poll(() => times.allTextContents())
    .toEqual([expect.stringMatching(/^\d/), expect.stringMatching(/^~\d/)]);
  await log(page)
    .getByTitle(/^Printed while no server was running; the server read it at /)
    .waitFor();
  // The mark does not change where the text of the line begins.
  const texts = log(page).locator('[data-line] ~ time ~ span');
  const [usual, alone] = [await texts.first().boundingBox(), await texts.last().boundingBox()];
  expect(usual?.x).toBeCloseTo(alone?.x ?? 0, 0);
});

describe('a log of long lines', () => {
  testWith(headlessChromium)('opens at its end, and stays there when the window gets narrower', async () => {
    const run = await aLogOfLongLines();
    const page = await browser.open(`${quiet.url}/runs/${run.id}`);
    await log(page).locator('[data-seq="600"]').waitFor();
    await expect.poll(() => belowEnd(page)).toBeLessThan(2);
    expect(await toEnd(page).count()).toBe(0);
    await resize(page, 700, 900);
    await expect.poll(() => belowEnd(page)).toBeLessThan(2);
    await page.getByRole('button', { name: 'Wrap lines' }).click();
    await expect.poll(() => isWide(page)).toBe(true);
    await page.getByRole('button', { name: 'Wrap lines' }).click();
    await expect.poll(() => isWide(page)).toBe(false);
    await expect.poll(() => belowEnd(page)).toBeLessThan(2);
    await run.print('and one more');
    await log(page).getByText('and one more').waitFor();
    await expect.poll(() => belowEnd(page)).toBeLessThan(2);
    expect(await toEnd(page).count()).toBe(0);
  });

  testWith(headlessChromium)('does not move the reader’s place when wrapping or the window changes', async () => {
    const run = await aLogOfLongLines();
    const page = await browser.open(`${quiet.url}/runs/${run.id}`);
    await expect.poll(() => belowEnd(page)).toBeLessThan(2);
    // Scroll so far up that the following lines fill the pane, even if no line is wrapped.
    for (let n = 0; n < 9; n++) await scroll(page, -2_000);
    await toEnd(page).waitFor();
    const seq = await settled(page, () => firstInSight(page));
    expect(seq).toBeGreaterThan(450);
    expect(seq).toBeLessThan(563);
    await page.getByRole('button', { name: 'Wrap lines' }).click();
    await expect.poll(() => isWide(page)).toBe(true);
    expect(await settled(page, () => firstInSight(page))).toBe(seq);
    await page.getByRole('button', { name: 'Wrap lines' }).click();
    expect(await settled(page, () => firstInSight(page))).toBe(seq);
    await resize(page, 700, 900);
    expect(await settled(page, () => firstInSight(page))).toBe(seq);
  });

  testWith(headlessChromium)('can be read upwards without jumps, however high its lines are', async () => {
    const run = await aLogOfLongLines();
    const page = await browser.open(`${quiet.url}/runs/${run.id}`);
    await expect.poll(() => belowEnd(page)).toBeLessThan(2);
    let seen = await settled(page, () => firstInSight(page));
    while (seen > 560) {
      await scroll(page, -400);
      const now = await settled(page, () => firstInSight(page));
      // Each row is at least 60 px high.
      expect(seen - now).toBeGreaterThanOrEqual(0);
      expect(seen - now).toBeLessThanOrEqual(7);
      seen = now;
    }
  });
});

describe('a log of a million lines', () => {
  let runId = '';
  async function finished(): Promise<string> {
    runId ||= JSON.parse(await (await server.post('/runs', { job_id: 'demo/loud', async: true })).text()).run_id;
    await expect
      .poll(async () => JSON.parse(await (await server.fetch(`/runs/${runId}`)).text()).status, { timeout: 150_000 })
      .toBe('success');
    return runId;
  }

  testWith(headlessChromium)('opens at its end within seconds, and scrolls', async () => {
    const id = await finished();
    const short = await quiet.addRun();
    await short.print('one line');
    const other = await browser.open(`${quiet.url}/runs`);
    let page = other;
    let requests = 0;
    // On an idle machine, this takes one second. The limit grows with the time that a log of one line takes at the
    // moment.
    await expectWithin(5_000, async () => {
      const shortMs = await msOf(async () => {
        await other.goto(`${quiet.url}/runs/${short.id}`);
        await log(other).getByText('one line').waitFor();
      });
      const tried = await browser.open(`${server.url}/runs`);
      page = tried;
      requests = 0;
      tried.on('request', (request) => {
        if (page === tried && request.url().includes('/logs')) requests++;
      });
      const longMs = await msOf(async () => {
        await tried.goto(`${server.url}/runs/${id}`);
        await log(tried).locator(`[data-seq="${million}"]`).waitFor();
        await expect.poll(() => belowEnd(tried)).toBeLessThan(2);
      });
      return longMs - 5 * shortMs;
    });
    // The three requests are the end of the log, its first errors, and the stream of new lines.
    await expect.poll(() => requests).toBe(3);
    await expect.poll(() => log(page).locator('[data-level]').count()).toBe(250);
    await scroll(page, -100_000);
    await expect.poll(() => log(page).locator('[data-level]').count()).toBe(500);
    expect(await firstInSight(page)).toBeGreaterThan(million - 1_000);
    expect(requests).toBe(4);
  });

  testWith(headlessChromium)('filtered to rare lines, scrolls from one match to the next', async () => {
    const page = await browser.open(`${server.url}/runs/${await finished()}?level=error`);
    let requests = 0;
    page.on('request', (request) => {
      if (request.url().includes('/logs')) requests++;
    });
    await log(page).locator('[data-seq="299001"]').waitFor();
    await expect.poll(() => belowEnd(page)).toBeLessThan(2);
    let seen = 299_001;
    while (seen > 1) {
      let now = seen;
      // At the first loaded line, the wheel has no effect until earlier lines have been loaded.
      while (now === seen) {
        await scroll(page, -600);
        now = await settled(page, () => firstInSight(page));
      }
      // Scrolling by 600 px passes 32 lines. No line is skipped, however far apart the lines are.
      expect(now).toBeLessThan(seen);
      if (seen < 299_001) expect(seen - now).toBeLessThanOrEqual(33_000);
      seen = now;
    }
    expect(requests).toBeLessThanOrEqual(4);
  });

  testWith(headlessChromium)('shows the last matches if there are too many, and says that there are more', async () => {
    const page = await browser.open(`${server.url}/runs/${await finished()}`);
    await page.getByRole('searchbox', { name: 'Search the log' }).fill('error 9');
    await page.keyboard.press('Enter');
    await page.getByText('11 of 11').waitFor();
    await page.getByRole('searchbox', { name: 'Search the log' }).fill('of many');
    await page.keyboard.press('Enter');
    await page.getByText('10,000 of the last 10,000').waitFor();
    await expect.poll(() => log(page).locator('[data-mark]').getAttribute('data-seq')).toBe(String(million));
    await page.getByRole('button', { name: 'Warn', exact: true }).click();
    await page.getByText('no match').waitFor();
    await expect.poll(() => page.getByRole('searchbox', { name: 'Search the log' }).inputValue()).toBe('of many');
    await expect.poll(() => page.evaluate('document.activeElement?.textContent')).toBe('Warn');
    await page.reload();
    await page.getByText('no match').waitFor();
    await expect.poll(() => page.getByRole('searchbox', { name: 'Search the log' }).inputValue()).toBe('of many');
  });
});

testWith(headlessChromium)('a reader who scrolls up sees how many lines have been added at the end', async () => {
  const run = await quiet.addRun();
  await run.move('claim');
  await run.print(...Array.from({ length: 300 }, (_, n) => `first ${n + 1}`));
  const page = await browser.open(`${quiet.url}/runs/${run.id}`);
  await expect.poll(() => belowEnd(page)).toBeLessThan(2);
  await scroll(page, -2_000);
  await toEnd(page).waitFor();
  for (let n = 1; n <= 6; n++) {
    await run.print(...Array.from({ length: 1_500 }, (_, at) => `more ${(n - 1) * 1_500 + at + 1}`));
    await page.getByRole('button', { name: `${(n * 1_500).toLocaleString('en')} new lines` }).waitFor();
  }
  await expect.poll(() => log(page).locator('[data-level]').count()).toBeLessThanOrEqual(2_000);
  await toEnd(page).click();
  await log(page).getByText('more 9000', { exact: true }).waitFor();
  await expect.poll(() => belowEnd(page)).toBeLessThan(2);
  await run.print('the last');
  await log(page).getByText('the last', { exact: true }).waitFor();
  expect(await toEnd(page).count()).toBe(0);
});

testWith(headlessChromium)('changing the level keeps the reader at their line', async () => {
  const run = await quiet.addRun();
  await run.move('claim');
  await run.print(
    ...Array.from({ length: 3_000 }, (_, n) => (n % 3 === 0 ? `${rs}wwarning ${n + 1}` : `line ${n + 1}`)),
  );
  const page = await browser.open(`${quiet.url}/runs/${run.id}?line=1201`);
  await log(page).locator('[data-mark]').waitFor();
  await scroll(page, 400);
  const seq = await settled(page, () => firstInSight(page));
  await page.getByRole('button', { name: 'Warn', exact: true }).click();
  await expect.poll(() => log(page).getByText('line 1202', { exact: true }).count()).toBe(0);
  const filtered = await settled(page, () => firstInSight(page));
  expect(filtered - seq).toBeGreaterThanOrEqual(0);
  expect(filtered - seq).toBeLessThan(3);
});

/** A zone that is UTC+9 all year. */
async function expectTokyoTime(time: Locator): Promise<void> {
  const atMs = Date.parse((await time.getAttribute('datetime')) ?? '');
  const there = new Date(atMs + 9 * 3_600_000).toISOString();
  await expect.poll(() => time.textContent()).toBe(there.slice(11, 23));
  await expect
    .poll(() => time.getAttribute('title'))
    .toMatch(new RegExp(`${there.slice(0, 4)}.* ${there.slice(11, 19)} GMT\\+9$`));
}

testWith(headlessChromium)('a line has its local time, and a link that can be reached by keyboard', async () => {
  const run = await quiet.addRun();
  await run.move('claim');
  await run.print('one', 'two', 'three');
  const page = await browser.open(`${quiet.url}/runs/${run.id}`, { timezone: 'Asia/Tokyo' });
  await expectTokyoTime(log(page).locator('time').first());
  await page.getByRole('tab', { name: 'events' }).click();
  await expectTokyoTime(page.getByRole('list', { name: 'Events' }).locator('time').first());
  await page.getByRole('tab', { name: 'log' }).click();
  await log(page).focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect.poll(() => page.url()).toMatch(/line=2$/);
  await expect.poll(() => log(page).locator('[data-mark]').getAttribute('data-seq')).toBe('2');
});

testWith(headlessChromium)(
  'a step with a matrix shows its instances below it, and their lines as its log',
  async () => {
    const { run_id: runId } = JSON.parse(await (await server.post('/runs', { job_id: 'demo/matrix' })).text());
    const page = await browser.open(`${server.url}/runs/${runId}`);
    await log(page).getByText('goes on').waitFor();
    const steps = page.getByRole('region', { name: 'Steps', exact: true });
    await steps.getByRole('button', { name: 'Unfold build' }).click();
    await expect
      .poll(() => steps.getByRole('link').allTextContents())
      .toEqual(['build', 'os=linux', 'os=mac', 'holds', 'ship']);
    await steps.getByRole('link', { name: 'build', exact: true }).click();
    await expect.poll(() => log(page).getByText('built').count()).toBe(2);
    await expect
      .poll(() => log(page).locator('[data-step]').allTextContents())
      .toEqual(expect.arrayContaining(['build[os=linux]', 'build[os=mac]']));
    await steps.getByRole('link', { name: 'os=mac' }).click();
    await expect.poll(() => log(page).getByText('built').count()).toBe(1);
    await server.post(`/runs/${runId}/cancel`, {});
    await page.getByText(/Cancelled by local after/).waitFor();
    await steps.getByRole('link', { name: 'ship' }).click();
    await page.getByText(/^This step did not run: /).waitFor();
  },
);

testWith(headlessChromium)(
  'a run that fails while it is watched does not change the reader’s search or place',
  async () => {
    const { run_id: runId } = JSON.parse(await (await server.post('/runs', { job_id: 'demo/fails' })).text());
    const page = await browser.open(`${server.url}/runs/${runId}`);
    await log(page).getByText('begins').waitFor();
    const search = page.getByRole('searchbox', { name: 'Search the log' });
    await search.fill('begins');
    await page.keyboard.press('Enter');
    await page.getByText('1 of 1', { exact: true }).waitFor();
    await page.getByRole('region', { name: 'Approval of ask' }).getByRole('button', { name: 'Approve' }).click();
    await page.getByText(/Failed in fails/).waitFor();
    await expect.poll(() => page.getByRole('combobox', { name: 'Step', exact: true }).textContent()).toBe('All steps');
    await expect.poll(() => search.inputValue()).toBe('begins');
    await expect.poll(() => log(page).locator('[data-mark] mark').textContent()).toBe('begins');
  },
);

async function finishedRun(jobId: string): Promise<string> {
  const { run_id: runId } = JSON.parse(await (await server.post('/runs', { job_id: jobId, async: false })).text());
  return runId;
}

const marked = (page: Page) => log(page).locator('[data-mark]');
const markedText = (page: Page) => marked(page).allTextContents();

testWith(headlessChromium)(
  'a failed run opens at its first error, and n and N jump to the next and the previous error',
  async () => {
    const page = await browser.open(`${server.url}/runs/${await finishedRun('demo/tests')}`);
    await page.getByText('Error 1 of 2 (2 lines)', { exact: true }).waitFor();
    await expect
      .poll(() => markedText(page))
      .toEqual([expect.stringContaining('not ok 401'), expect.stringContaining('at cart.test.ts:88')]);
    await expect.poll(() => log(page).getByText('not ok 401').isVisible()).toBe(true);
    expect(await belowEnd(page)).toBeGreaterThan(2_000);
    await page.keyboard.press('n');
    await page.getByText('Error 2 of 2', { exact: true }).waitFor();
    await expect.poll(() => markedText(page)).toEqual([expect.stringContaining('error: 1 test failed')]);
    await page.keyboard.press('n');
    await page.getByText('Error 1 of 2').waitFor();
    await page.keyboard.press('N');
    await page.getByText('Error 2 of 2').waitFor();
    await page.getByRole('button', { name: 'Previous error' }).click();
    await page.getByText('Error 1 of 2').waitFor();
    // After a search, n and N jump between its matches.
    await page.getByRole('searchbox', { name: 'Search the log' }).fill('ok 69');
    await page.keyboard.press('Enter');
    await page.getByText('11 of 11').waitFor();
    await log(page).focus();
    await page.keyboard.press('n');
    await page.getByText('1 of 11').waitFor();
  },
);

testWith(headlessChromium)('a run whose sub-run failed opens at the first error of the sub-run', async () => {
  const page = await browser.open(`${server.url}/runs/${await finishedRun('demo/retried')}`);
  await page.getByText('Error 1 of 2 (2 lines)', { exact: true }).waitFor();
  await expect
    .poll(() => markedText(page))
    .toEqual([expect.stringContaining('not ok 401'), expect.stringContaining('at cart.test.ts:88')]);
});

testWith(headlessChromium)('the full-height log opens at the same line, and leads back to it', async () => {
  const runId = await finishedRun('demo/tests');
  const page = await browser.open(`${server.url}/runs/${runId}?line=42`);
  await page.getByRole('button', { name: 'Full height' }).click();
  await page.getByRole('heading', { level: 1, name: 'Log' }).waitFor();
  await page
    .getByRole('navigation', { name: 'Breadcrumbs' })
    .getByRole('link', { name: 'demo/tests, today' })
    .waitFor();
  expect(page.url()).toBe(`${server.url}/runs/${runId}/log?line=42`);
  await expect.poll(() => markedText(page)).toEqual([expect.stringContaining('ok 42')]);
  await page.getByRole('button', { name: 'Back to the run' }).click();
  await page.waitForURL(`${server.url}/runs/${runId}?line=42`);
  await expect.poll(() => markedText(page)).toEqual([expect.stringContaining('ok 42')]);
});

testWith(headlessChromium)('the log of a step that starts a sub-run shows the lines of the sub-run', async () => {
  const runId = await finishedRun('demo/ships');
  const page = await browser.open(`${server.url}/runs/${runId}?step=ship`);
  await log(page).getByText('uploads part 3').waitFor();
  await expect.poll(() => log(page).locator('[data-level]').count()).toBe(3);
  await page.getByText('printed these lines').waitFor();
  const { runs } = JSON.parse(await (await server.fetch(`/runs/${runId}/children`)).text());
  const ship = runs.find(({ parent }: { parent: { step_id: string } }) => parent.step_id === 'ship');
  const link = page.getByLabel('Log of the run').getByRole('link', { name: 'demo/target' });
  await expect.poll(() => link.getAttribute('href')).toBe(`/runs/${ship.run_id}`);
  // In the log of the whole run, the sub-run is between the lines of the steps before and after it.
  await choose(page, 'Step', 'All steps');
  await log(page).getByText('reports').waitFor();
  const order = await log(page).locator('[data-seq]').allTextContents();
  const at = (text: string) => order.findIndex((row) => row.includes(text));
  expect(at('ship runs')).toBeGreaterThan(at('builds'));
  expect(at('ship runs')).toBeLessThan(at('reports'));
  // A step with several sub-runs has no lines of its own, and links to the sub-runs instead.
  await choose(page, 'Step', 'all');
  await page.getByText('This step printed nothing itself. It started these runs:').waitFor();
  await expect.poll(() => page.getByLabel('Log of the run').getByRole('link', { name: 'demo/target' }).count()).toBe(2);
  await page.getByRole('tab', { name: 'Sub-runs 3' }).click();
  await expect.poll(() => page.getByRole('table', { name: 'Sub-runs' }).getByRole('link').count()).toBe(3);
});
