// Asks a yes-or-no question at a terminal.

import { createInterface } from 'node:readline/promises';

/** Only y and yes mean yes. Ctrl-D means no. */
export async function confirm(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const closed = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
  try {
    return /^\s*y(?:es)?\s*$/i.test(await Promise.race([lines.question(`${question} [y/N] `), closed]));
  } finally {
    lines.close();
  }
}
