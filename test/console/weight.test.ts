// The size of what a browser downloads before the built console shows a page.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';

const built = join(import.meta.dirname, '../../dist/console');
const files = new Map(
  readdirSync(join(built, 'assets')).map((name) => [name, readFileSync(join(built, 'assets', name), 'utf8')]),
);

/** The scripts that `index.html` names and everything that they import statically. */
function firstScripts(): Set<string> {
  const html = readFileSync(join(built, 'index.html'), 'utf8');
  const found = new Set([...html.matchAll(/(?:src|href)="\/assets\/([^"]+\.js)"/g)].map(([, name]) => name ?? ''));
  for (const name of found) {
    for (const [, other] of (files.get(name) ?? '').matchAll(/\b(?:from|import)\s*"\.\/([^"]+\.js)"/g)) {
      found.add(other ?? '');
    }
  }
  return found;
}

test('the first load is at most 250 kB of compressed JavaScript, without the graph, the form and Markdown', () => {
  const first = firstScripts();
  const bytes = [...first].map((name) => gzipSync(files.get(name) ?? '').length);
  const sum = bytes.reduce((total, size) => total + size, 0);
  console.log(`first load: ${Math.round(sum / 1_000)} kB of compressed JavaScript`);
  expect(sum).toBeLessThanOrEqual(250_000);
  expect(bytes.every((size) => size > 1_000)).toBe(true);
  for (const part of ['StepGraph', 'JobPage', 'Result', 'Markdown', 'AdminPage', 'SchedulesPage']) {
    const name = [...files.keys()].find((one) => one.startsWith(`${part}-`) && one.endsWith('.js'));
    expect(name, part).toBeDefined();
    expect(first.has(name ?? ''), part).toBe(false);
  }
});
