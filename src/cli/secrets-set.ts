// `flwd secrets set NAME`: stores what standard input has. Never an argument: others on the machine can read those.

import { buffer } from 'node:stream/consumers';
import type { Options } from './command.ts';
import { loadConfiguration } from './configuration.ts';
import { type ExitCode, exitCodes, Refusal } from './exit-code.ts';
import { onInstance } from './owner-client.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const [name, ...others] = operands;
  if (name === undefined || others.length > 0) {
    throw new Refusal('flwd secrets set needs one NAME, and the value on standard input: flwd secrets set NAME < FILE');
  }
  const { config } = loadConfiguration(options);
  const tenant = options.get('tenant')?.[0] ?? config.instance.defaultTenant;
  if (process.stdin.isTTY) process.stderr.write('type the value, then Enter and Ctrl-D\n');
  const value = withoutLastNewline(toText(await buffer(process.stdin)));
  const { manageSecrets } = await import('../operator.ts');
  await onInstance<unknown>(config, {
    alone: () => manageSecrets(config, (secrets) => secrets.put({ tenant, name, value })),
    byOwner: (client) => client.call('putSecret', { path: { name }, query: { tenant }, body: { value } }),
  });
  process.stdout.write(`stored ${name} of tenant ${tenant}\n`);
  return exitCodes.done;
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
