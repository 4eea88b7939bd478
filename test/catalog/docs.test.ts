import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { configSchema } from '../../src/catalog/config-schema.ts';
import { idsOf, openCatalog, sourceAt } from './source-fixture.ts';

const root = join(import.meta.dirname, '../..');

test('docs/jobs.md has every key of config.yaml in its table, and no other', () => {
  const rows = readFileSync(join(root, 'docs/jobs.md'), 'utf8').match(/^\| `.*/gm) ?? [];
  const documented = rows.flatMap((row) => row.split('|')[1]?.match(/(?<=`)[a-z_]+/g) ?? []);
  const known = Object.keys(configSchema.properties ?? {});
  expect([...new Set(documented)].toSorted()).toEqual(known.toSorted());
});

test('every job in examples/jobs can be used', async () => {
  const catalog = await openCatalog([sourceAt(join(root, 'examples/jobs'))]);
  expect(catalog.invalid()).toEqual([]);
  expect(idsOf(catalog).length).toBeGreaterThanOrEqual(5);
});
