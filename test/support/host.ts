// The tools of this host. A test that lacks a tool is skipped by name; in CI it runs anyway, and fails.

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { test } from 'vitest';

export function absentTools(...tools: readonly string[]): string[] {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return tools.filter((tool) => !folders.some((folder) => isExecutable(join(folder, tool))));
}

/** vitest's `test` for tests that need these tools on the host. */
export function testWith(...tools: readonly string[]): typeof test.only {
  return test.skipIf(absentTools(...tools).length > 0 && !process.env.CI);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
