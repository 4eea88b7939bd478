// `flwd secrets set NAME`: stores a value from standard input or a prompt. Never from an argument, which other users of
// the machine can read.

import { buffer } from 'node:stream/consumers';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';
import { askSecret } from '../terminal/secret-prompt.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const [name, extra] = operands;
  // An unexpected word may be the value, so it is not repeated.
  if (name === undefined || extra !== undefined)
    throw new Refusal(
      'flwd secrets set takes a NAME and reads the value from standard input: flwd secrets set NAME < FILE',
    );
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

/** The prompt shows nothing, so a typo would go unnoticed. @throws Refusal */
async function askTwice(name: string): Promise<string> {
  const value = await askSecret(`${name}: `);
  if ((await askSecret(`${name}, again: `)) === value) return value;
  throw new Refusal('the two values differ; nothing was stored');
}

/** @throws Refusal */
function toText(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refusal('the value is not UTF-8 text; store it as base64 and let the job decode it');
  }
}

/** Drops the newline after a typed or echoed line. A file of several lines, such as a key, stays as it is. */
function withoutLastNewline(given: string): string {
  return /^[^\n]*\n$/.test(given) ? given.replace(/\r?\n$/, '') : given;
}
