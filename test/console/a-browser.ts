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
  /** The test expects errors in the page. */
  readonly mayFail?: boolean;
  /** The page comes from another server, and sends requests to the server under test. */
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
        // Violations of the page's policy appear here. Failed requests appear here, too, but some tests expect those.
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

/** Resizes the window, and resolves when the page is drawn at the new size. */
export async function resize(page: Page, width: number, height: number): Promise<void> {
  await page.setViewportSize({ width, height });
  await expect.poll(() => page.evaluate('[innerWidth, innerHeight]')).toEqual([width, height]);
  for (let n = 0; n < 3; n++) await page.evaluate(nextFrame);
}

const nextFrame = 'new Promise((drawn) => requestAnimationFrame(drawn))';
const settledFrames = 6;

/**
 * Waits until the value is not null and has been the same in several frames, because then everything has been drawn.
 * Returns the value.
 */
export async function settled<T>(page: Page, read: () => Promise<T>): Promise<T> {
  let last = await read();
  let frames = 0;
  await expect
    .poll(async () => {
      await page.evaluate(nextFrame);
      const now = await read();
      const text = JSON.stringify(now);
      // In JSON, NaN is `null`, too.
      frames = text !== 'null' && text === JSON.stringify(last) ? frames + 1 : 0;
      last = now;
      return frames;
    })
    .toBe(settledFrames);
  return last;
}

/**
 * Goes to a page by pressing `g` and the key of the page. The two keys count only within a second of each other, so
 * this repeats them.
 */
export async function goByKey(page: Page, key: string, path: string): Promise<void> {
  await expect
    .poll(async () => {
      await page.keyboard.press('g');
      await page.keyboard.press(key);
      return page.evaluate('location.pathname');
    })
    .toBe(path);
}

/** Selects an option from a list that a button opens. */
export async function choose(page: Page, name: string, option: string): Promise<void> {
  await page.getByRole('combobox', { name, exact: true }).click();
  await page.locator('[role=listbox]').getByRole('option', { name: option, exact: true }).click();
}
