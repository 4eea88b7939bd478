// Asks the user for permission at a terminal.

import { createInterface } from 'node:readline/promises';
import type { Options } from '../command.ts';
import { exitCodes, Refusal } from '../exit-code.ts';

/**
 * Asks, and returns if the user agrees. With --yes, returns without asking.
 * @param o.instead what to do when standard input is not a terminal
 * @throws Refusal
 */
export async function confirmed(
  question: string,
  { options, instead, unchanged }: { readonly options: Options; readonly instead: string; readonly unchanged: string },
): Promise<void> {
  if (options.has('yes')) return;
  if (!process.stdin.isTTY) throw new Refusal(`standard input is not a terminal, so flwd cannot ask: ${instead}`);
  if (!(await confirm(question))) throw new Refusal(unchanged, exitCodes.interrupted);
}

/** Only y and yes mean yes. Ctrl-D means no. */
async function confirm(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const closed = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
  try {
    return /^\s*y(?:es)?\s*$/i.test(await Promise.race([lines.question(`${question} [y/N] `), closed]));
  } finally {
    lines.close();
  }
}
