// `flwd secrets rm NAME`: removes a stored secret. Runs that already received it keep their copy.

import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { oneOperand } from '../option-values.ts';
import { withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const name = oneOperand(operands, 'flwd secrets rm NAME; flwd secrets list shows the names');
  const output = createOutput(options);
  const [tenant] = options.get('tenant') ?? [];
  const query = { ...(tenant !== undefined && { tenant }) };
  await withSession(options, ({ client }) => client.request('deleteSecret', { path: { name }, query }));
  output.say(`removed ${name}${tenant === undefined ? '' : ` of tenant ${tenant}`}`);
  return exitCodes.done;
}
