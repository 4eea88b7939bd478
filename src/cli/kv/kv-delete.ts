// `flwd kv delete NAMESPACE KEY`: deletes a key.

import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';
import { readPlace } from './kv-operands.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const place = readPlace(options, operands, 'flwd kv delete NAMESPACE KEY; flwd kv list NAMESPACE shows the keys');
  const output = createOutput(options);
  await withSession(options, ({ client }) => client.request('deleteKvKey', place));
  output.say(`deleted ${place.path.key} of ${place.path.namespace}`);
  return exitCodes.done;
}
