// `flwd kv get NAMESPACE KEY`: prints a value, byte for byte.

import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';
import { readPlace } from './kv-operands.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const place = readPlace(options, operands, 'flwd kv get NAMESPACE KEY; flwd kv list NAMESPACE shows the keys');
  const output = createOutput(options);
  const entry = await withSession(options, ({ client }) => client.call('getKvKey', place));
  const bytes = Buffer.from(entry.value, 'base64');
  if (output.isJson) output.json(entry);
  // A terminal gets text, with its control characters made visible; a pipe or a file gets the bytes.
  else if (output.isForPeople) output.text(`${bytes.toString().replace(/\n$/, '')}\n`);
  else process.stdout.write(bytes);
  return exitCodes.done;
}
