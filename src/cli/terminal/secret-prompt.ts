// Asks for a secret at a terminal, which does not show what is typed.

import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { exitCodes, Refusal } from '../exit-code.ts';

/** @throws Refusal where it is broken off */
export function askSecret(label: string): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true, historySize: 0 });
  // Only now does the terminal show nothing of what is typed.
  process.stderr.write(label);
  return new Promise<string>((resolve, reject) => {
    const refuse = (): void => reject(new Refusal('nothing was typed', exitCodes.interrupted));
    lines.once('line', resolve).once('SIGINT', refuse).once('close', refuse);
  }).finally(() => {
    lines.close();
    process.stderr.write('\n');
  });
}
