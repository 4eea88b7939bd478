// Every link of the pages leads to something that exists.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { pages, read, root } from './pages.ts';

test.each(pages)('%s links only to existing files and existing headings', (page) => {
  const links = [...read(page).matchAll(/\]\((?!https?:)([^)\s#]*)(?:#([^)\s]*))?\)/g)];
  const broken = links.filter(([, path = '', heading]) => {
    const target = path === '' ? page : join(dirname(page), path);
    return !existsSync(join(root, target)) || (heading !== undefined && !anchorsOf(target).includes(heading));
  });
  expect(broken.map(([link]) => link)).toEqual([]);
});

test('docs/README.md lists every page of docs', () => {
  const index = read('docs/README.md');
  const listed = (page: string) => index.includes(`](${page.slice('docs/'.length)})`);
  const own = pages.filter((page) => page.startsWith('docs/') && !page.startsWith('docs/adr/'));
  expect(own.filter((page) => page !== 'docs/README.md' && !listed(page))).toEqual([]);
});

test('each decision answers a question in docs/why.md', () => {
  const index = read('docs/why.md');
  const decisions = pages.filter((page) => page.startsWith('docs/adr/'));
  expect(decisions.filter((page) => !index.includes(`](${page.slice('docs/'.length)})`))).toEqual([]);
});

/** Builds anchors as the usual forges do. */
function anchorsOf(page: string): string[] {
  return [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
