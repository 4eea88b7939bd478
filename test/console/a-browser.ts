// One browser for all tests of a file, and a page for each test.

import type { Browser, Page } from 'playwright-core';
import { afterAll, expect, onTestFinished } from 'vitest';
import { launchChromium } from '../support/headless-chromium.ts';

export type PageOptions = {
  readonly theme?: 'light' | 'dark';
  readonly width?: number;
  readonly height?: number;
  /** The browser's time zone. */
  readonly timezone?: string;
  /** Errors in the page are expected. */
  readonly mayFail?: boolean;
  /** The page comes from another server and calls the one under test. */
  readonly isForeign?: boolean;
  /** The time when the page is opened. From then on the test controls the clock. */
  readonly clockMs?: number;
};

/** Opens pages for the tests of a file. Each has its own storage, and an error in it fails the test. */
export function aBrowser(): { readonly open: (url: string, o?: PageOptions) => Promise<Page> } {
  let launched: Promise<Browser> | undefined;
  afterAll(async () => (await launched)?.close());
  return {
    async open(url, o = {}) {
      const { theme = 'light', width = 1200, height = 900, timezone = 'UTC', clockMs } = o;
      const { isForeign = false, mayFail = isForeign } = o;
      launched ??= launchChromium();
      const context = await (await launched).newContext({
        viewport: { width, height },
        colorScheme: theme,
        reducedMotion: 'reduce',
        timezoneId: timezone,
      });
      const page = await context.newPage();
      page.setDefaultTimeout(60_000);
      const errors: string[] = [];
      page.on('pageerror', (error) => errors.push(error.message));
      page.on('console', (message) => {
        // Violations of the page's policy appear here. Failed requests do, too, but some tests expect them.
        if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) errors.push(message.text());
      });
      const foreign: string[] = [];
      page.on('request', (request) => {
        const asked = new URL(request.url());
        if (!isForeign && asked.protocol !== 'blob:' && asked.origin !== new URL(url).origin)
          foreign.push(request.url());
      });
      onTestFinished(async () => {
        await context.close();
        expect({ errors: mayFail ? [] : errors, foreign }).toEqual({ errors: [], foreign: [] });
      });
      if (clockMs !== undefined) await page.clock.install({ time: clockMs });
      await page.goto(url);
      return page;
    },
  };
}

/** Chooses from a list that a button opens. */
export async function choose(page: Page, name: string, option: string): Promise<void> {
  await page.getByRole('combobox', { name, exact: true }).click();
  await page.locator('[role=listbox]').getByRole('option', { name: option, exact: true }).click();
}
