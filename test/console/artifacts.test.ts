// The artifacts of a run, as a person looks at them.

import { afterAll, expect } from 'vitest';
import { startServing } from '../server/serving.ts';
import { testWith } from '../support/host.ts';
import { aBrowser } from './a-browser.ts';

const server = await startServing({
  executes: true,
  jobs: {
    twofold: {
      'config.yaml': JSON.stringify({
        artifacts: { paths: ['out/*'] },
        steps: [
          { id: 'first', script: './first.sh' },
          { id: 'gate', needs: ['first'], approval: 'Go on?' },
        ],
      }),
      'first.sh': '#!/bin/sh\nsleep 2; mkdir out; echo early > out/early.txt\n',
    },
  },
});
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

testWith('chromium', 'bwrap')('those of a step are there once it has ended, while the run goes on', async () => {
  const { run_id: runId } = JSON.parse(await (await server.post('/runs', { job_id: 'twofold' })).text());
  const page = await browser.open(`${server.url}/runs/${runId}?tab=artifacts`);
  await page.getByText('There are none yet.').waitFor();
  await page.getByText('early.txt', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Approve' }).waitFor();
});
