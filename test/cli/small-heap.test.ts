// Checks that V8 still honours the flags that keep a server's heap small.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** Produces garbage that partly stays alive for a while, and prints the size of the young generation in MB. */
const churn = `
  const [path] = process.argv.slice(1);
  const small = path && await import(path);
  small?.keepYoungHeapSmall();
  let kept = [];
  for (let i = 0; i < 3e6; i++) {
    kept.push({ i });
    if (kept.length > 2e5) kept = [];
  }
  const { getHeapSpaceStatistics } = await import('node:v8');
  const { space_size } = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
  console.log(space_size / 1e6);
`;

async function youngGenerationMb(...words: readonly string[]): Promise<number> {
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', churn, ...words]);
  return Number(stdout);
}

test('with flwd’s flags, the young generation of a small heap does not grow under load', async () => {
  const module = new URL('../../src/cli/admin/small-heap.ts', import.meta.url).href;
  expect(await youngGenerationMb(module)).toBeLessThan(16);
  expect(await youngGenerationMb()).toBeGreaterThan(32);
});
