// The tests of a job, as its page shows them.

import { afterAll, expect } from 'vitest';
import { startServing } from '../server/serving.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { aBrowser, resize } from './a-browser.ts';
import { errorsInBothThemes } from './accessibility-errors.ts';

const tests = `# What the job must do
- name: greets everybody
  args: {who: Ada, times: 2}
  profile: secure
  expect:
    exit_code: 0
    result_includes: {greetings: 2}
    log: ["Hello, Ada", "/^Hello/"]
    artifacts: [greetings.txt]
    max_duration: 30s

- name: refuses nobody
  expect: {status: failed}
`;
const bomb = `- name: &a [x, x]\n  args: {b: &b [*a, *a], c: &c [${'*b, '.repeat(60)}*b], d: [${'*c, '.repeat(60)}*c]}\n`;
const server = await startServing({
  jobs: {
    'demo/greet': { ...bash('true'), 'tests.yaml': tests },
    'demo/plain': bash('true'),
    'demo/broken': { ...bash('true'), 'tests.yaml': 'name: [' },
    'demo/bomb': { ...bash('true'), 'tests.yaml': bomb },
  },
});
afterAll(() => server.close());
const browser = aBrowser();

testWith(headlessChromium)('a job lists its tests, what each expects, and how to run them', async () => {
  const page = await browser.open(`${server.url}/jobs/demo/greet`);
  await page.getByRole('tab', { name: 'Tests' }).press('Enter');
  const card = page.getByRole('region', { name: 'Tests' });
  await card.getByText('flwd test demo/greet').waitFor();
  await card.getByText('who=Ada times=2').waitFor();
  const expected = card.getByRole('list', { name: 'What greets everybody expects' }).getByRole('listitem');
  expect(await expected.allTextContents()).toEqual([
    'succeeds',
    'exit code 0',
    'result with {"greetings":2}',
    'log has Hello, Ada',
    'log has /^Hello/',
    'artifact greetings.txt',
    'within 30s',
    'in the profile secure',
  ]);
  await card.getByRole('list', { name: 'What refuses nobody expects' }).getByText('fails').waitFor();
  expect(await errorsInBothThemes(page)).toEqual([]);
  await resize(page, 390, 844);
  await expect.poll(() => page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
  await page.getByRole('button', { name: 'Copy the command' }).waitFor();
  await card.getByRole('link', { name: 'refuses nobody' }).press('Enter');
  await page.getByRole('region', { name: 'Content of tests.yaml' }).waitFor();
  expect(new URL(page.url()).searchParams.get('line')).toBe('12');
});

testWith(headlessChromium)(
  'a job says if it has no tests, if their file is broken, or if the caller lacks the scope',
  async () => {
    const page = await browser.open(`${server.url}/jobs/demo/plain?tab=tests`);
    await page.getByText('This job has no tests.').waitFor();
    for (const job of ['broken', 'bomb']) {
      await page.goto(`${server.url}/jobs/demo/${job}?tab=tests`);
      await page.getByText('The file is not a list of tests.').waitFor();
    }
    const { credential } = await server.token({ scopes: ['jobs:read', 'runs:read'] });
    await page.evaluate(`sessionStorage.setItem('flwd.token', ${JSON.stringify(credential)})`);
    await page.goto(`${server.url}/jobs/demo/greet?tab=tests`);
    await page.getByText('To see the tests of a job, you need a token with the scope code:read.').waitFor();
  },
);
