// Asks flwd for completions as a shell's script does when Tab is pressed, but without a shell.

import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { start } from './terminal.ts';

export type Offered = { readonly value?: string; readonly about?: string; readonly files?: string };

/** Completes the last word. */
export async function tab(dir: string, ...words: readonly string[]): Promise<Offered[]> {
  const asked = ['__complete', String(words.length - 1), ...words];
  const { stdout, stderr, code } = await start(dir, asked).ended;
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Offered => JSON.parse(line));
}

export async function values(dir: string, ...words: readonly string[]): Promise<(string | undefined)[]> {
  return (await tab(dir, ...words)).map(({ value }) => value);
}

export function cachedNames(dir: string): string[] {
  const folder = join(dir, '.cache/flwd');
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** Returns the path of the one index in the cache folder, once no refresh is running. */
export async function settledIndex(dir: string): Promise<string> {
  await expect.poll(() => cachedNames(dir).filter((name) => !/^completion-[0-9a-f]{16}$/.test(name))).toEqual([]);
  const [name = '', ...others] = cachedNames(dir);
  expect(others).toEqual([]);
  return join(dir, '.cache/flwd', name);
}

/** Builds the index and waits until it is complete. */
export async function index(dir: string): Promise<string> {
  await tab(dir, '');
  await expect.poll(() => existsSync(join(dir, '.cache/flwd'))).toBe(true);
  const path = await settledIndex(dir);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  return path;
}
