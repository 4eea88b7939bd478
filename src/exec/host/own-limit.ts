// The limits of the server's own process. Its jobs inherit them, and without privileges nobody can raise them.

import { readFileSync } from 'node:fs';

/**
 * Returns the value, or the hard limit of this process if that is lower.
 * @param name as in the first column of /proc/self/limits
 */
export function atMostOwn(name: 'Max processes' | 'Max address space', value: number): number {
  const lines = readFileSync('/proc/self/limits', 'utf8').split('\n');
  const [, hard] =
    lines
      .find((line) => line.startsWith(name))
      ?.slice(name.length)
      .trim()
      .split(/\s+/) ?? [];
  return /^\d+$/.test(hard ?? '') ? Math.min(value, Number(hard)) : value;
}
