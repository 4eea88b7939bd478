// Opens every page on an instance with data, and measures how soon a browser that has cached nothing can use it.

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DemoServer, startDemoServer } from '../support/demo-server.ts';
import { expectWithin, msOf } from '../support/goes.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { absentTools, testWith } from '../support/host.ts';
import { aBrowser } from './a-browser.ts';
import { pagesWithout } from './console-pages.ts';
import { demoPages, openDemoPage } from './demo-pages.ts';

/** On an idle machine (`npm run bench -- console`) it is about a second, but this machine may be busy. */
const mostMs = 10_000;
const browser = aBrowser();
let server: DemoServer | undefined;

beforeAll(async () => {
  if (absentTools(headlessChromium).length > 0) return;
  server = await startDemoServer(mkdtempSync(join(tmpdir(), 'flwd-cold-')), { days: 3 });
});
afterAll(() => server?.stop());

test('every page of the console is tested here', () => {
  expect(pagesWithout(demoPages.map(([path]) => path))).toEqual([]);
});

testWith(headlessChromium).each(demoPages)(
  '%s can be used within seconds by a browser that has cached nothing',
  async (...demoPage) => {
    if (!server) throw new Error('the server was not started');
    const { url, failed } = server;
    const page = await browser.open(`${url}/api/v1/health`);
    await expectWithin(mostMs, () => msOf(() => openDemoPage(page, { url, failed }, demoPage)));
  },
);
