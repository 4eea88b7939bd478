// The rules of WCAG, as axe checks them.

import axe from 'axe-core';
import type { Page } from 'playwright-core';

export async function accessibilityErrors(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const tags = JSON.stringify(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']);
  const found: { id: string; nodes: { html: string }[] }[] = await page.evaluate(
    `axe.run({ runOnly: ${tags} }).then(({ violations }) => violations.map(({ id, nodes }) => ({ id, nodes })))`,
  );
  return found.flatMap(({ id, nodes }) => nodes.slice(0, 3).map(({ html }) => `${id}: ${html.slice(0, 160)}`));
}
