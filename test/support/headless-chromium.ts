// Debian's Chromium without its own windows, for tests, benchmarks and pictures. The whole Chromium also loads pages of
// its own into every new window. On two cores they doubled the time until a page of the console was there.

import { type Browser, chromium } from 'playwright-core';

/** The name of the command, and of its Debian package. */
export const headlessChromium = 'chromium-headless-shell';

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: `/usr/bin/${headlessChromium}`,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
  });
}
