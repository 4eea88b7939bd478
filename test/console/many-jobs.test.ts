// The list of jobs when there are many, when some run all the time, and while their files change.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect } from 'vitest';
import { startServing } from '../server/serving.ts';
import { expectWithin } from '../support/goes.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { testWith } from '../support/host.ts';
import { bash, writeJob } from '../support/jobs.ts';
import { aBrowser, settled } from './a-browser.ts';

const numbered = Array.from({ length: 5_000 }, (_, n) => `many/job-${String(n).padStart(4, '0')}`);
const server = await startServing({
  jobs: {
    ...Object.fromEntries(numbered.map((id) => [id, bash('true')])),
    'a/nightly': bash('true'),
    'a/minutely': bash('true'),
    'disk/usage': bash('true'),
    'disk/broken': { 'config.yaml': 'command: [' },
    'diskette/broken': { 'config.yaml': 'command: [' },
  },
});
afterAll(() => server.close());
const browser = aBrowser();

describe('many jobs', () => {
  testWith(headlessChromium)(
    'are drawn only in the visible part of the list, and a search covers all of them',
    async () => {
      const page = await browser.open(`${server.url}/jobs?namespace=many`);
      await page.getByText(`${numbered.length} of ${numbered.length + 5} jobs`).waitFor();
      await page.getByRole('link', { name: 'many/job-0000' }).waitFor();
      expect(await page.getByRole('link', { name: 'many/job-4900' }).count()).toBe(0);
      await page.evaluate('scrollTo(0, document.body.scrollHeight)');
      await page.getByRole('link', { name: 'many/job-4999' }).waitFor();
      await page.getByRole('searchbox', { name: 'Search jobs' }).fill('b-4900');
      await page.getByText(`1 of ${numbered.length + 5} jobs`).waitFor();
      await page.getByRole('link', { name: 'many/job-4900' }).waitFor();
    },
  );

  testWith(headlessChromium)('scroll without a long task', async () => {
    const page = await browser.open(`${server.url}/jobs?namespace=many`);
    await page.getByRole('link', { name: 'many/job-0000' }).waitFor();
    await expectWithin(50, async () =>
      Number(
        await page.evaluate(`(async () => {
          const frame = () => new Promise((drawn) => requestAnimationFrame(drawn));
          const tasks = [0];
          const watching = new PerformanceObserver((list) => tasks.push(...list.getEntries().map((one) => one.duration)));
          watching.observe({ entryTypes: ['longtask'] });
          for (let n = 0; n < 40; n++) {
            scrollBy(0, 600);
            await frame();
          }
          await frame();
          watching.disconnect();
          return Math.max(...tasks);
        })()`),
      ),
    );
  });

  testWith(headlessChromium)(
    'have fewer cells while the list scrolls too fast to be read, and all cells afterwards',
    async () => {
      const page = await browser.open(`${server.url}/jobs?namespace=many`);
      await page.getByRole('link', { name: 'many/job-0000' }).waitFor();
      const rows = page.getByRole('table', { name: 'Jobs' }).locator('tbody tr[aria-rowindex]');
      const buttons = rows.getByRole('button', { name: /^Run many/ });
      const scroll = (px: number, times = 60): Promise<unknown> =>
        page.evaluate(`(async () => {
        const plain = new Set();
        for (let n = 0; n < 60; n++) {
          if (n < ${times}) scrollBy(0, ${px});
          await new Promise((drawn) => requestAnimationFrame(drawn));
          for (const row of document.querySelectorAll('tbody tr[aria-rowindex]'))
            if (row.querySelector('[aria-label^="Run "]') === null) plain.add(row.querySelector('a').textContent);
        }
        return [...plain];
      })()`);
      expect(await scroll(20_000, 1)).toEqual([]);
      expect(await scroll(5)).toEqual([]);
      await expect.poll(() => scroll(2_000)).toContainEqual(expect.stringMatching(/^many\/job-\d{4}$/));
      await expect.poll(async () => (await buttons.count()) === (await rows.count())).toBe(true);
    },
  );

  testWith(headlessChromium)(
    'reuse their elements when the list scrolls, and the focus stays with its job',
    async () => {
      const page = await browser.open(`${server.url}/jobs?namespace=many`);
      const start = page.getByRole('button', { name: 'Run many/job-0003' });
      await start.focus();
      const rows = page.getByRole('table', { name: 'Jobs' }).locator('tbody tr[aria-rowindex]');
      await settled(page, () => rows.count());
      await page.evaluate(`for (const row of document.querySelectorAll('tbody tr')) row.dataset.old = ''`);
      const old = rows.and(page.locator('[data-old]'));
      const before = await old.count();
      const scrollTo = async (px: number, id: string): Promise<void> => {
        await page.evaluate(`scrollTo(0, ${px})`);
        await page.getByRole('link', { name: id }).waitFor();
      };
      await scrollTo(60_000, 'many/job-1940');
      await expect.poll(() => old.count()).toBe(before);
      await start.and(page.locator(':focus')).waitFor();
      const names = await rows.getByRole('link', { name: /^many/ }).allTextContents();
      expect(names).toEqual(names.toSorted());
      await scrollTo(0, 'many/job-0000');
      await start.and(page.locator(':focus')).waitFor();
      await expect.poll(() => old.count()).toBe(before);
    },
  );

  testWith(headlessChromium)(
    'an element that has the focus is never reused for another job when the list changes',
    async () => {
      const page = await browser.open(`${server.url}/jobs?namespace=many`);
      await page.getByRole('button', { name: 'Run many/job-0003' }).focus();
      await page.evaluate(`history.pushState(null, '', '/jobs?q=job-1')`);
      await page.getByRole('link', { name: 'many/job-1000' }).waitFor();
      expect(await page.locator('tr :focus').count()).toBe(0);
    },
  );

  testWith(headlessChromium)(
    'each show their last runs, and an event reloads only the runs of its own job',
    async () => {
      const nightly = await server.addRun({ jobId: 'a/nightly' });
      await nightly.move('claim');
      await nightly.finish('fail');
      const page = await browser.open(`${server.url}/jobs?q=a%2F`);
      const rowOf = (id: string) => page.getByRole('row').filter({ has: page.getByRole('link', { name: id }) });
      await rowOf('a/nightly')
        .getByRole('link', { name: /^Failed/ })
        .waitFor();
      const bars = rowOf('a/nightly').getByText('1 failed').locator('..');
      await bars.locator('svg').hover({ position: { x: 2, y: 8 } });
      await expect.poll(() => bars.getAttribute('title')).toMatch(/^Failed, /);
      // The page reloads everything once its event stream is open. The request that shows this run is that one or a
      // later one.
      const warm = await server.addRun({ jobId: 'a/nightly' });
      const newest = rowOf('a/nightly').getByRole('link', { name: /Pending/ });
      await expect.poll(() => newest.getAttribute('href')).toBe(`/runs/${warm.id}`);
      const asked: URL[] = [];
      page.on('request', (request) => asked.push(new URL(request.url())));
      const again = await server.addRun({ jobId: 'a/nightly' });
      await expect.poll(() => newest.getAttribute('href')).toBe(`/runs/${again.id}`);
      const lists = asked.filter(({ pathname }) => pathname.endsWith('/stats/jobs'));
      expect(new Set(lists.map(({ searchParams }) => searchParams.get('ids')))).toEqual(new Set(['a/nightly']));
    },
  );
});

testWith(headlessChromium)(
  'a job: filter with part of an id finds nothing, and links to a search that finds the runs',
  async () => {
    const run = await server.addRun({ jobId: 'disk/usage' });
    const page = await browser.open(`${server.url}/runs?q=job%3Adisk`);
    await page.getByText('needs the whole id of a job').waitFor();
    await page.getByRole('link', { name: 'disk', exact: true }).click();
    await page.getByRole('checkbox', { name: `Select ${run.id}` }).waitFor();
  },
);

describe('while files change', () => {
  testWith(headlessChromium)('a fixed job and a new job appear without a reload', async () => {
    const page = await browser.open(`${server.url}/jobs?namespace=disk`);
    const invalid = page.getByRole('button', { name: /^Invalid/ });
    await expect.poll(() => invalid.textContent()).toBe('Invalid2');
    // The namespace `disk` does not include a job that only begins with the same letters.
    expect(await page.getByRole('table', { name: 'Jobs' }).textContent()).not.toContain('diskette');
    const jobPage = await browser.open(`${server.url}/jobs/disk/broken`);
    await jobPage.getByRole('alert').filter({ hasText: 'config.yaml:1:' }).waitFor();
    await writeJob(join(server.root, 'jobs/disk/broken'), bash('true'));
    await writeJob(join(server.root, 'jobs/disk/new'), bash('true'));
    await page.getByRole('link', { name: 'disk/broken' }).waitFor();
    await page.getByRole('link', { name: 'disk/new' }).waitFor();
    await expect.poll(() => invalid.textContent()).toBe('Invalid1');
    await jobPage.getByRole('form', { name: 'Arguments' }).waitFor();
    // The typed arguments are kept when the file becomes invalid.
    await jobPage.getByRole('button', { name: 'As JSON' }).click();
    await jobPage.getByRole('textbox', { name: 'Arguments as JSON' }).fill('{"a": 1}');
    await writeFile(join(server.root, 'jobs/disk/broken/config.yaml'), 'command: [');
    await jobPage.getByRole('alert').filter({ hasText: 'config.yaml:1:' }).waitFor();
    await expect.poll(() => jobPage.getByRole('textbox', { name: 'Arguments as JSON' }).inputValue()).toBe('{"a": 1}');
  });
});
