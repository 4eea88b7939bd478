// Says what a cancelled run left behind, in the console and the terminal UI.

import type { Termination } from '../domain/run.ts';

/** Without a pid namespace, flwd cannot prove that no process is left, and the words say so. */
export function leftWords({ remaining, proven }: Pick<Termination, 'remaining' | 'proven'>): string {
  if (remaining > 0) return remaining === 1 ? '1 process is left' : `${remaining} processes are left`;
  return proven === false ? 'no process was found, but without a sandbox flwd cannot be sure' : 'no process is left';
}
