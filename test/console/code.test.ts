// The files of a job in the browser.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type DiffRow, fileDiff } from '../../src/client/file-diff.ts';
import { startServing } from '../server/serving.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { testWith } from '../support/host.ts';
import { aBrowser, choose } from './a-browser.ts';

const script = '#!/usr/bin/env bash\necho one\necho "<img src=x onerror=alert(1)>"\n';
const server = await startServing({
  executes: true,
  watch: false,
  jobs: {
    'shop/release': {
      'config.yaml': 'command: [./run.sh]\n',
      'run.sh': script,
      'lib/prices.py': 'x = 17.50\n',
      'logo.png': '\u0000PNG',
    },
  },
});
afterAll(() => server.close());
const browser = aBrowser();
const page = (query: string) => browser.open(`${server.url}/jobs/shop/release?tab=code${query}`);

testWith(headlessChromium)('the files of a job can be read, and a line can be linked', async () => {
  const code = await page('');
  const files = code.getByRole('navigation', { name: 'Files' });
  await expect
    .poll(() => files.getByRole('link').allTextContents())
    .toEqual(['config.yaml', 'lib/prices.py', 'logo.png', 'run.sh']);
  await code.getByRole('region', { name: 'Content of config.yaml' }).getByText('command').waitFor();
  await files.getByRole('link', { name: 'run.sh' }).click();
  const content = code.getByRole('region', { name: 'Content of run.sh' });
  await content.getByText('<img src=x onerror=alert(1)>').waitFor();
  await expect.poll(() => content.locator('code').allTextContents()).toEqual(script.trimEnd().split('\n'));
  await expect
    .poll(() => content.locator('[class*=string]').allTextContents())
    .toEqual(['"<img src=x onerror=alert(1)>"']);
  await content.focus();
  await code.keyboard.press('Enter');
  await code.keyboard.press('ArrowDown');
  await code.keyboard.press('Enter');
  await expect.poll(() => code.url()).toMatch(/file=run\.sh&line=2/);
  await expect.poll(() => content.locator('[data-marked]').textContent()).toBe('2echo one');
  const shared = await browser.open(code.url());
  await expect.poll(() => shared.locator('[data-marked]').textContent()).toBe('2echo one');
  await files.getByRole('link', { name: 'logo.png' }).click();
  await code.getByText('The file is not text, so it is not shown.').waitFor();
});

testWith(headlessChromium)('two revisions can be compared, and each file says whether it changed', async () => {
  await server.post('/runs', { job_id: 'shop/release', async: false });
  const dir = join(server.root, 'jobs/shop/release');
  // The file has the same length as before.
  await writeFile(join(dir, 'run.sh'), script.replace('one', 'two'));
  await writeFile(join(dir, 'new.sh'), 'echo new\n');
  const code = await page('&file=run.sh');
  await code.getByRole('combobox', { name: 'Compare with', exact: true }).click();
  await code.getByRole('option', { name: /used/ }).click();
  const rows = code.getByRole('region', { name: 'Difference' }).locator('code');
  await expect
    .poll(() => rows.allTextContents())
    .toEqual(['#!/usr/bin/env bash', 'removed: echo one', 'added: echo two', 'echo "<img src=x onerror=alert(1)>"']);
  const files = code.getByRole('navigation', { name: 'Files' });
  await expect
    .poll(() => files.getByRole('link').allTextContents())
    .toEqual(['config.yaml', 'lib/prices.py', 'logo.png', 'new.sh+added', 'run.sh±changed']);
  await files.getByRole('link', { name: 'config.yaml' }).click();
  await code.getByText('The file is the same in both revisions.').waitFor();
  // Shows the old revision without a comparison.
  await choose(code, 'Compare with', 'Compare with…');
  await code.getByRole('combobox', { name: 'Revision', exact: true }).click();
  await code.getByRole('option', { name: /used/ }).click();
  await files.getByRole('link', { name: 'run.sh' }).click();
  await code.getByRole('region', { name: 'Content of run.sh' }).getByText('echo one').waitFor();
  await expect.poll(() => files.getByRole('link', { name: 'new.sh' }).count()).toBe(0);
});

testWith(headlessChromium)('a caller without the scope is told which scope is needed', async () => {
  await using guarded = await startServing({
    authMode: 'required',
    jobs: { demo: { 'config.yaml': 'command: ["true"]\n' } },
  });
  const { credential } = await guarded.token({ scopes: ['jobs:read', 'runs:read'] });
  const code = await browser.open(`${guarded.url}/jobs/demo?tab=code`);
  await code.getByLabel('Token').fill(credential);
  await code.keyboard.press('Enter');
  await code.getByText('To see the files of a job, you need a token with the scope code:read.').waitFor();
});

describe('the difference of two texts', () => {
  const shown = (rows: readonly DiffRow[] | null) =>
    rows?.map((row) =>
      row.kind === 'gap' ? `… ${row.count}` : `${row.before ?? ''}:${row.after ?? ''} ${row.kind} ${row.text}`,
    );
  const numbers = Array.from({ length: 20 }, (_, n) => `line ${n + 1}`);

  test('shows three lines around each change', () => {
    const changed = numbers.with(9, 'changed').toSpliced(0, 1);
    expect(shown(fileDiff(`${numbers.join('\n')}\n`, `${changed.join('\n')}\n`))).toEqual([
      '1: removed line 1',
      '2:1 same line 2',
      '3:2 same line 3',
      '4:3 same line 4',
      '… 2',
      '7:6 same line 7',
      '8:7 same line 8',
      '9:8 same line 9',
      '10: removed line 10',
      ':9 added changed',
      '11:10 same line 11',
      '12:11 same line 12',
      '13:12 same line 13',
      '… 7',
    ]);
    expect(fileDiff('same\n', 'same\n')).toEqual([]);
  });

  test('is not computed if that would take minutes', () => {
    const many = (word: string) => Array.from({ length: 20_000 }, (_, n) => `${word} ${n}`).join('\n');
    expect(fileDiff(many('a'), many('b'))).toBeNull();
  });
});
