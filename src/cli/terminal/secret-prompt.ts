// Asks for a secret at a terminal without showing what is typed.

import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { exitCodes, Refusal } from '../exit-code.ts';

/** @throws Refusal when the user presses Ctrl-C or Ctrl-D */
export function askSecret(label: string): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true, historySize: 0 });
  // The label comes only now, because from now on the terminal does not show what the user types.
  process.stderr.write(label);
  return new Promise<string>((resolve, reject) => {
    const refuse = (): void => reject(new Refusal('nothing was entered', exitCodes.interrupted));
    lines.once('line', resolve).once('SIGINT', refuse).once('close', refuse);
  }).finally(() => {
    lines.close();
    process.stderr.write('\n');
  });
}
