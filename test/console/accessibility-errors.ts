// Checks a page against the rules of WCAG with axe.

import axe from 'axe-core';
import type { Page } from 'playwright-core';

const everyRule = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
/** The rules about colours. Nothing but colours differs between the themes: see `light-dark()` in tokens.css. */
const colourRules = ['color-contrast', 'link-in-text-block'];

export async function accessibilityErrors(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return errorsFor(page, { type: 'tag', values: everyRule });
}

/**
 * Returns the errors in both themes, for a page that follows the theme of the system. The theme is light before and
 * after.
 */
export async function errorsInBothThemes(page: Page): Promise<string[]> {
  const light = await accessibilityErrors(page);
  await page.emulateMedia({ colorScheme: 'dark' });
  const dark = await errorsFor(page, { type: 'rule', values: colourRules });
  await page.emulateMedia({ colorScheme: 'light' });
  return [...light.map((error) => `light: ${error}`), ...dark.map((error) => `dark: ${error}`)];
}

async function errorsFor(page: Page, runOnly: object): Promise<string[]> {
  const options = JSON.stringify({ runOnly, resultTypes: ['violations'] });
  const found: { id: string; nodes: { html: string }[] }[] = await page.evaluate(
    `axe.run(${options}).then(({ violations }) => violations.map(({ id, nodes }) => ({ id, nodes })))`,
  );
  return found.flatMap(({ id, nodes }) => nodes.slice(0, 3).map(({ html }) => `${id}: ${html.slice(0, 160)}`));
}
