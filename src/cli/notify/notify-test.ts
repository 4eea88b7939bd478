// `flwd notify test CHANNEL`: sends a test message, and says what the receiver answered.

import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { oneOperand } from '../option-values.ts';
import { withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const name = oneOperand(operands, 'flwd notify test CHANNEL; flwd notify lists the channels');
  const output = createOutput(options);
  return withSession(options, async ({ client }) => {
    const { origin, delivered, error, ...channel } = await client.call('testChannel', { path: { name } });
    if (output.isJson) output.json({ ...channel, origin, delivered, error });
    else if (delivered) output.say(`${name}: ${origin} took the message`);
    else output.say(`${name}: the message was not delivered${origin === null ? '' : ` to ${origin}`}: ${error}`);
    return delivered ? exitCodes.done : exitCodes.runFailed;
  });
}
