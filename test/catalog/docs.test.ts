import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { configSchema, stepSchema } from '../../src/catalog/job/config-schema.ts';
import { idsOf, openCatalog, sourceAt } from './source-fixture.ts';

const root = join(import.meta.dirname, '../..');

const guide = readFileSync(join(root, 'docs/jobs.md'), 'utf8');

/** The keys in the first column of the tables between two headings. */
function documentedKeys(from: string, to: string): string[] {
  const section = guide.slice(guide.indexOf(`\n${from}\n`), guide.indexOf(`\n${to}\n`));
  const keys = (section.match(/^\| `.*/gm) ?? []).flatMap((row) => row.split('|')[1]?.match(/(?<=`)[a-z_]+/g) ?? []);
  return [...new Set(keys)].toSorted();
}

test('docs/jobs.md has every key of config.yaml in its table, and no other', () => {
  expect(documentedKeys('## config.yaml', '## Steps')).toEqual(Object.keys(configSchema.properties).toSorted());
});

test('docs/jobs.md has every key of a step in its table, and no other', () => {
  expect(documentedKeys('## Steps', '### The graph')).toEqual(Object.keys(stepSchema.properties).toSorted());
});

test('every job in examples/jobs can be used', async () => {
  const catalog = await openCatalog([sourceAt(join(root, 'examples/jobs'))]);
  expect(catalog.invalid()).toEqual([]);
  expect(idsOf(catalog).length).toBeGreaterThanOrEqual(5);
});
