// The list of jobs when there are many, when some run all the time, and while their files change.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect } from 'vitest';
import { startServing } from '../server/serving.ts';
import { testWith } from '../support/host.ts';
import { bash, writeJob } from '../support/jobs.ts';
import { aBrowser } from './a-browser.ts';

const numbered = Array.from({ length: 1_000 }, (_, n) => `many/job-${String(n).padStart(4, '0')}`);
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
  testWith('chromium')('are drawn only where the user looks, and are all searched', async () => {
    const page = await browser.open(server.url);
    await page.getByText('1003 of 1003 jobs').waitFor();
    await page.getByRole('link', { name: 'many/job-0000' }).waitFor();
    expect(await page.getByRole('link', { name: 'many/job-0900' }).count()).toBe(0);
    await page.evaluate('scrollTo(0, document.body.scrollHeight)');
    await page.getByRole('link', { name: 'many/job-0999' }).waitFor();
    await page.getByRole('searchbox', { name: 'Search jobs' }).fill('b-0900');
    await page.getByText('1 of 1003 jobs').waitFor();
    await page.getByRole('link', { name: 'many/job-0900' }).waitFor();
  });

  testWith('chromium')('each show their last runs, and an event reads only those of its own job', async () => {
    const nightly = await server.addRun({ jobId: 'a/nightly' });
    await nightly.move('claim');
    await nightly.finish('fail');
    for (let n = 0; n < 20; n++) await server.addRun({ jobId: 'a/minutely' });
    const page = await browser.open(`${server.url}/jobs?q=a%2F`);
    const rowOf = (id: string) => page.getByRole('listitem').filter({ has: page.getByRole('link', { name: id }) });
    await rowOf('a/nightly').getByText('failed').waitFor();
    await expect.poll(() => rowOf('a/minutely').getByText('pending').count()).toBe(8);
    // The page reads both again once its event stream is open. The request that shows this run is that one or a later
    // one.
    const warm = await server.addRun({ jobId: 'a/nightly' });
    const newest = rowOf('a/nightly').getByRole('link').last();
    await expect.poll(() => newest.getAttribute('href')).toBe(`/runs/${warm.id}`);
    const asked: URL[] = [];
    page.on('request', (request) => asked.push(new URL(request.url())));
    const again = await server.addRun({ jobId: 'a/nightly' });
    await expect.poll(() => newest.getAttribute('href')).toBe(`/runs/${again.id}`);
    const lists = asked.filter(({ searchParams }) => searchParams.has('last_runs'));
    expect(new Set(lists.map(({ searchParams }) => searchParams.get('ids')))).toEqual(new Set(['a/nightly']));
    expect(asked.filter(({ pathname }) => pathname.endsWith('/runs') && !pathname.includes('events'))).toEqual([]);
  });
});

testWith('chromium')(
  'a job: filter with a part of an id finds nothing, and links to the search that does',
  async () => {
    const run = await server.addRun({ jobId: 'disk/usage' });
    const page = await browser.open(`${server.url}/runs?q=job%3Adisk`);
    await page.getByText('needs the whole id of a job').waitFor();
    await page.getByRole('link', { name: 'disk', exact: true }).click();
    await page.getByRole('list', { name: 'Runs' }).getByText(run.id).waitFor();
  },
);

describe('while files change', () => {
  testWith('chromium')('a fixed job and a new job appear without a reload', async () => {
    const page = await browser.open(`${server.url}/jobs?namespace=disk`);
    await page.getByText(/, 2 invalid/).waitFor();
    // A namespace is more than a common prefix.
    expect(await page.getByRole('region', { name: 'Invalid jobs' }).textContent()).not.toContain('diskette');
    const jobPage = await browser.open(`${server.url}/jobs/disk/broken`);
    await jobPage.getByRole('alert').filter({ hasText: 'config.yaml:1:' }).waitFor();
    await writeJob(join(server.root, 'jobs/disk/broken'), bash('true'));
    await writeJob(join(server.root, 'jobs/disk/new'), bash('true'));
    await page.getByRole('link', { name: 'disk/broken' }).waitFor();
    await page.getByRole('link', { name: 'disk/new' }).waitFor();
    await page.getByText(/, 1 invalid/).waitFor();
    await jobPage.getByRole('form', { name: 'Arguments' }).waitFor();
    // The typed arguments stay when the file becomes invalid.
    await jobPage.getByRole('button', { name: 'As JSON' }).click();
    await jobPage.getByRole('textbox', { name: 'Arguments as JSON' }).fill('{"a": 1}');
    await writeFile(join(server.root, 'jobs/disk/broken/config.yaml'), 'command: [');
    await jobPage.getByRole('alert').filter({ hasText: 'config.yaml:1:' }).waitFor();
    expect(await jobPage.getByRole('textbox', { name: 'Arguments as JSON' }).inputValue()).toBe('{"a": 1}');
  });
});
