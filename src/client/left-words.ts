// What a cancel left, as the console and the terminal UI say it.

import type { Termination } from '../domain/run.ts';

/** Without a pid namespace nothing proves that no process is left. */
export function leftWords({ remaining, proven }: Pick<Termination, 'remaining' | 'proven'>): string {
  if (remaining > 0) return remaining === 1 ? '1 process is left' : `${remaining} processes are left`;
  return proven === false ? 'no process was found; without a sandbox that is no proof' : 'no process is left';
}
