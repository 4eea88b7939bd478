// Signing in and out while a page is open.

import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { startServing } from '../server/serving.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { aBrowser } from './a-browser.ts';

const browser = aBrowser();

/** Finds words that are broken across two lines. */
const brokenWords = `(() => {
  const words = [];
  for (const element of document.querySelectorAll('[role=dialog] code')) {
    const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const node = texts.currentNode;
      for (const { index, 0: word } of node.textContent.matchAll(/\\S+/g)) {
        const range = document.createRange();
        range.setStart(node, index);
        range.setEnd(node, index + word.length);
        const lines = new Set([...range.getClientRects()].map(({ top }) => Math.round(top)));
        if (lines.size > 1) words.push(word);
      }
    }
  }
  return words;
})()`;

testWith(headlessChromium)(
  'if a token is deleted while the user fills in a form, nothing that was typed is lost',
  async () => {
    await using guarded = await startServing({
      authMode: 'required',
      executes: true,
      jobs: {
        'demo/greet': bash('true', { argspec: { type: 'object', properties: { name: { type: 'string' } } } }),
      },
    });
    const first = await guarded.token({ scopes: ['jobs:read', 'runs:read', 'runs:write'] });
    const page = await browser.open(`${guarded.url}/jobs/demo/greet`);
    const asked = page.getByRole('dialog', { name: 'Sign in' });
    await asked.getByLabel('API token').fill(first.credential);
    await asked.getByRole('button', { name: 'Sign in' }).click();
    await asked.waitFor({ state: 'detached' });
    // The dialog hides the page behind it from screen readers.
    const form = page.getByRole('form', { name: 'Arguments', includeHidden: true });
    const name = form.getByRole('textbox', { name: 'name', includeHidden: true });
    await name.fill('Ada');
    await page.getByText('Starts at once').first().waitFor();
    const admin = await guarded.token();
    await guarded.fetch(`/tokens/${first.id}`, { method: 'DELETE', headers: admin.headers });
    await name.press('End');
    await page.keyboard.type(' L');
    await asked.waitFor();
    // The dialog may open before the last letter has been typed.
    const typed = await name.inputValue();
    expect(typed).toMatch(/^Ada/);
    const second = await guarded.token({ scopes: ['jobs:read', 'runs:read', 'runs:write'] });
    await asked.getByLabel('API token').fill(second.credential);
    await page.keyboard.press('Enter');
    await asked.waitFor({ state: 'detached' });
    await expect.poll(() => name.inputValue()).toBe(typed);
    await page.getByText('Starts at once').first().waitFor();

    await page.getByRole('button', { name: 'Sign out' }).click();
    await asked.waitFor();
    expect(await form.count()).toBe(0);
    await page.keyboard.press('Escape');
    await asked.waitFor({ state: 'detached' });
    await page.getByRole('alert').getByRole('button', { name: 'Try again' }).click();
    await asked.waitFor();
  },
);

testWith(headlessChromium)(
  'the commands that create a token are on lines of their own, which break only at spaces',
  async () => {
    await using guarded = await startServing({ authMode: 'required' });
    const page = await browser.open(guarded.url, { width: 390 });
    const commands = page.getByRole('dialog', { name: 'Sign in' }).locator('code');
    await commands.first().waitFor();
    expect(await commands.allTextContents()).toEqual([
      'flwd tokens create --name console --scopes jobs:read,runs:read,artifacts:read',
      'flwd tokens create --name console --scopes jobs:read,runs:write,runs:approve,artifacts:read',
    ]);
    expect(await page.evaluate(brokenWords)).toEqual([]);
    const dialog = `document.querySelector('[role=dialog]')`;
    expect(await page.evaluate(`${dialog}.scrollWidth - ${dialog}.clientWidth`)).toBe(0);
  },
);

testWith(headlessChromium)(
  'signing out removes favourites and saved filters in all windows, so that the next user does not see them',
  async () => {
    await using guarded = await startServing({
      authMode: 'required',
      executes: true,
      jobs: { 'demo/greet': bash('true') },
    });
    const { credential } = await guarded.token();
    const page = await browser.open(`${guarded.url}/jobs`);
    const other = await page.context().newPage();
    const signIn = async (on: Page, path: string): Promise<void> => {
      await on.goto(`${guarded.url}${path}`);
      const asked = on.getByRole('dialog', { name: 'Sign in' });
      await asked.getByLabel('API token').fill(credential);
      await on.keyboard.press('Enter');
      await asked.waitFor({ state: 'detached' });
    };
    await signIn(page, '/jobs');
    await signIn(other, '/runs?q=status%3Afailed');
    const favourite = other.getByRole('navigation', { name: 'Favourites' }).getByRole('link', { name: 'demo/greet' });
    await page.getByRole('button', { name: 'Favourite: demo/greet' }).click();
    await favourite.waitFor();
    await other.getByRole('button', { name: 'Save filter' }).click();
    await other.getByLabel('Name').fill('Broken');
    await other.keyboard.press('Enter');
    await other.keyboard.press('Escape');
    const filter = other.getByRole('navigation', { name: 'Saved filters' }).getByRole('link', { name: /^Broken/ });
    await filter.waitFor();
    await page.evaluate("localStorage.setItem('flwd.theme', 'dark')");

    await page.getByRole('button', { name: 'Sign out' }).click();
    await favourite.waitFor({ state: 'detached' });
    await filter.waitFor({ state: 'detached' });
    expect(await page.evaluate('Object.keys(localStorage)')).toEqual(['flwd.theme']);
  },
);

testWith(headlessChromium)(
  'an action that a token may not perform is reported without a retry, and a refused token does not sign in',
  async () => {
    await using guarded = await startServing({
      authMode: 'required',
      executes: true,
      jobs: { 'demo/greet': bash('true') },
    });
    const reader = await guarded.token({ scopes: ['jobs:read'] });
    const page = await browser.open(`${guarded.url}/jobs/demo/greet`);
    const asked = page.getByRole('dialog', { name: 'Sign in' });
    await asked.getByLabel('API token').waitFor();
    await asked.getByLabel('API token').fill(reader.credential);
    await page.keyboard.press('Enter');
    await asked.waitFor({ state: 'detached' });
    await page.getByText('Starts at once').waitFor();
    const form = page.getByRole('form', { name: 'Arguments' });
    await form.getByText('Your token does not let you start runs.').waitFor();
    expect(await form.getByRole('button', { name: /^Run/ }).count()).toBe(0);
    await page.getByRole('link', { name: 'Runs', exact: true }).click();
    await page.getByText("does not let you see this. The caller lacks the scope 'runs:read'.").waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);
    expect(await page.getByRole('button', { name: 'Try again' }).count()).toBe(0);
    await expect.poll(() => page.getByRole('button', { name: 'Sign out' }).count()).toBe(1);

    const admin = await guarded.token();
    await guarded.fetch(`/tokens/${reader.id}`, { method: 'DELETE', headers: admin.headers });
    // A response that arrives after the user has closed the dialog does not reopen the dialog.
    const held = Promise.withResolvers<void>();
    await page.route('**/api/v1/jobs', async (route) => {
      await held.promise;
      await route.continue();
    });
    await page.reload();
    await asked.getByLabel('API token').press('Escape');
    await asked.waitFor({ state: 'detached' });
    const late = page.waitForResponse('**/api/v1/jobs');
    held.resolve();
    expect((await late).status()).toBeOneOf([401, 429]);
    await page.getByRole('button', { name: 'Try again' }).waitFor();
    expect(await asked.count()).toBe(0);
    expect(await page.getByRole('button', { name: 'Sign out' }).count()).toBe(0);
    expect(await page.getByRole('link', { name: /^(● )?server/ }).count()).toBe(0);
  },
);
