// The artifacts of a run in the browser.

import { afterAll, expect } from 'vitest';
import { startServing } from '../server/serving.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { testWith } from '../support/host.ts';
import { aBrowser } from './a-browser.ts';

const server = await startServing();
afterAll(() => server.close());
const browser = aBrowser();

testWith(headlessChromium)('Markdown with a charset is rendered, and a preview that is cut says so', async () => {
  const run = await server.addRun();
  await server.addArtifact(run, { name: 'notes.md', content: '# Title\n', mediaType: 'text/markdown; charset=utf-8' });
  const long = 'x'.repeat(199_999);
  await server.addArtifact(run, { name: 'long.txt', content: `${long}yz`, mediaType: 'text/plain' });
  await server.addArtifact(run, { name: 'whole.txt', content: `${long}y`, mediaType: 'text/plain' });
  const page = await browser.open(`${server.url}/runs/${run.id}?tab=artifacts`);
  await page.getByRole('button', { name: 'Preview notes.md' }).click();
  await page.getByRole('region', { name: 'Content of notes.md' }).getByRole('heading', { name: 'Title' }).waitFor();
  const cut = page.getByText('Showing the first 200,000 characters.');
  await page.getByRole('button', { name: 'Preview whole.txt' }).click();
  await expect.poll(() => page.getByRole('region', { name: 'Content of whole.txt' }).textContent()).toMatch(/xy$/);
  expect(await cut.count()).toBe(0);
  await page.getByRole('button', { name: 'Preview long.txt' }).click();
  await cut.waitFor();
  await expect.poll(() => page.getByRole('region', { name: 'Content of long.txt' }).textContent()).toMatch(/xy$/);
});

testWith(headlessChromium)(
  'the page of a running run says when its artifacts will appear, and then shows them',
  async () => {
    const run = await server.addRun();
    await run.move('claim');
    const page = await browser.open(`${server.url}/runs/${run.id}?tab=artifacts`);
    await page.getByText('Artifacts are collected when the run ends.').waitFor();
    await server.addArtifact(run, { name: 'late.txt', content: 'late', mediaType: 'text/plain' });
    await run.finish();
    await page.getByRole('button', { name: 'late.txt', exact: true }).waitFor();
  },
);

testWith(headlessChromium)('artifacts are listed page by page with their folders and their total number', async () => {
  const run = await server.addRun();
  for (const name of ['artifacts/out/a.txt', 'artifacts/out/b.txt', 'log/a.txt'])
    await server.addArtifact(run, { name, content: name, mediaType: 'text/plain' });
  const page = await browser.open(`${server.url}/runs/${run.id}`);
  await page.route('**/artifacts?*', (route) => route.continue({ url: `${route.request().url()}&limit=2` }));
  await page.getByRole('tab', { name: 'artifacts' }).click();
  await page.getByText('2 of 3.').waitFor();
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByText('3 in total.').waitFor();
  await page.getByRole('button', { name: 'out/a.txt', exact: true }).click();
  await page.getByRole('region', { name: 'Content of out/a.txt' }).waitFor();
});

testWith(headlessChromium)(
  'artifacts with the same path inside and outside of the folder artifacts can be distinguished',
  async () => {
    const run = await server.addRun();
    for (const name of ['artifacts/a.txt', 'a.txt', 'artifacts/b.txt'])
      await server.addArtifact(run, { name, content: name, mediaType: 'text/plain' });
    const page = await browser.open(`${server.url}/runs/${run.id}?tab=artifacts`);
    const shown = page.getByRole('list', { name: 'Artifacts' }).locator('button[aria-expanded]:not([aria-label])');
    await expect
      .poll(async () => (await shown.allTextContents()).toSorted())
      .toEqual(['a.txt', 'artifacts/a.txt', 'b.txt']);
  },
);

testWith(headlessChromium)(
  'of a large artifact a part is shown, an empty one is shown as empty, and CSV is shown as a table',
  async () => {
    const run = await server.addRun();
    const mediaType = 'text/plain';
    await server.addArtifact(run, { name: 'large.txt', content: 'x'.repeat(2_000_000), mediaType });
    await server.addArtifact(run, { name: 'none.txt', content: '', mediaType });
    const content = `name,"what, it is"\n${'a,"b ""c"""\n'.repeat(201)}`;
    await server.addArtifact(run, { name: 'list.csv', content, mediaType: 'text/csv' });
    const page = await browser.open(`${server.url}/runs/${run.id}?tab=artifacts`);
    const answer = page.waitForResponse((response) => /\/artifacts\/art/.test(response.url()));
    await page.getByRole('button', { name: 'Preview large.txt' }).click();
    expect((await answer).headers()['content-length']).toBe(`${2 ** 20}`);
    await page.getByText('Showing the first 200,000 characters.').waitFor();
    await page.getByRole('button', { name: 'Preview none.txt' }).click();
    await page.getByText('The file is empty.').waitFor();
    await page.getByRole('button', { name: 'Preview list.csv' }).click();
    const table = page.getByRole('region', { name: 'Content of list.csv' });
    await expect.poll(() => table.getByRole('columnheader').allTextContents()).toEqual(['name', 'what, it is']);
    await expect.poll(() => table.getByRole('cell').nth(1).textContent()).toBe('b "c"');
    await expect.poll(() => table.getByRole('row').count()).toBe(201);
    await page.getByText('Showing the first 200 rows.').waitFor();
  },
);
