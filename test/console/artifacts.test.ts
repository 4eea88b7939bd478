// The artifacts of a run, as a person looks at them.

import { afterAll, expect } from 'vitest';
import { startServing } from '../server/serving.ts';
import { testWith } from '../support/host.ts';
import { aBrowser } from './a-browser.ts';

const server = await startServing();
afterAll(() => server.close());
const browser = aBrowser();

testWith('chromium')('Markdown is drawn whatever its charset, and a text that is cut says so', async () => {
  const run = await server.addRun();
  await server.addArtifact(run, { name: 'notes.md', content: '# Title\n', mediaType: 'text/markdown; charset=utf-8' });
  const long = 'x'.repeat(199_999);
  await server.addArtifact(run, { name: 'long.txt', content: `${long}yz`, mediaType: 'text/plain' });
  await server.addArtifact(run, { name: 'whole.txt', content: `${long}y`, mediaType: 'text/plain' });
  const page = await browser.open(`${server.url}/runs/${run.id}?tab=artifacts`);
  await page.getByRole('button', { name: 'Preview notes.md' }).click();
  await page.getByRole('region', { name: 'Content of notes.md' }).getByRole('heading', { name: 'Title' }).waitFor();
  const cut = page.getByText('These are its first 200,000 characters.');
  await page.getByRole('button', { name: 'Preview whole.txt' }).click();
  expect(await page.getByRole('region', { name: 'Content of whole.txt' }).textContent()).toMatch(/xy$/);
  expect(await cut.count()).toBe(0);
  await page.getByRole('button', { name: 'Preview long.txt' }).click();
  await cut.waitFor();
  expect(await page.getByRole('region', { name: 'Content of long.txt' }).textContent()).toMatch(/xy$/);
});

testWith('chromium')('of a run that goes on it is said when they come, and then they do', async () => {
  const run = await server.addRun();
  await run.move('claim');
  const page = await browser.open(`${server.url}/runs/${run.id}?tab=artifacts`);
  await page.getByText('They are taken when the run ends, all of them together.').waitFor();
  await server.addArtifact(run, { name: 'late.txt', content: 'late', mediaType: 'text/plain' });
  await run.finish();
  await page.getByText('late.txt', { exact: true }).waitFor();
});
