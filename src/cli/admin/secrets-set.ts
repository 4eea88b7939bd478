// `flwd secrets set NAME`: stores what standard input has, or what is typed. Never an argument: others on the machine can
// read those.

import { buffer } from 'node:stream/consumers';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';
import { askSecret } from '../terminal/secret-prompt.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const [name, extra] = operands;
  // What is one word too many may be the value: it is not repeated.
  if (name === undefined || extra !== undefined)
    throw new Refusal('flwd secrets set takes one NAME, and the value on standard input: flwd secrets set NAME < FILE');
  const output = createOutput(options);
  const [tenant] = options.get('tenant') ?? [];
  const value = process.stdin.isTTY ? await askTwice(name) : withoutLastNewline(toText(await buffer(process.stdin)));
  const stored = await withSession(
    options,
    ({ client }) =>
      client.call('putSecret', {
        path: { name },
        query: { ...(tenant !== undefined && { tenant }) },
        body: { value },
      }),
    { mayCreate: true },
  );
  if (output.isJson) output.json(stored);
  else output.say(`stored ${stored.name} of tenant ${stored.tenant}`);
  return exitCodes.done;
}

/** Nothing shows what was typed, so a slip would be stored unseen. @throws Refusal */
async function askTwice(name: string): Promise<string> {
  const value = await askSecret(`${name}: `);
  if ((await askSecret(`${name}, again: `)) === value) return value;
  throw new Refusal('that was not the same twice; nothing is stored');
}

/** @throws Refusal */
function toText(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refusal('the value is no UTF-8 text; store it in base64, and have the job decode it');
  }
}

/** One line is typed or echoed with its newline; a file of several, such as a key, is taken as it is. */
function withoutLastNewline(given: string): string {
  return /^[^\n]*\n$/.test(given) ? given.replace(/\r?\n$/, '') : given;
}
