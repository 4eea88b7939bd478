// The kernel's id of this boot, which only Linux has.

import { readFileSync } from 'node:fs';

let known: string | undefined;

export function bootId(): string {
  known ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return known;
}
