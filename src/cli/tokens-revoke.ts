// `flwd tokens revoke ID`: from now on the token lets nobody in.

import type { Options } from './command.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { oneOperand } from './option-values.ts';
import { createOutput } from './output.ts';
import { withSession } from './session.ts';
import { listTokens } from './token-list.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const id = oneOperand(operands, 'flwd tokens revoke ID, such as token_01…; flwd tokens list shows them');
  const output = createOutput(options);
  return withSession(options, async (session) => {
    const { tokens } = await listTokens(session);
    const before = tokens.find((token) => token.id === id);
    await session.client.request('revokeToken', { path: { token_id: id } });
    if (before?.status === 'revoked') output.say(`${id} was revoked before, ${output.time(before.revoked_at)}`);
    else output.say(`revoked ${id}${before ? ` (${before.name})` : ''}`);
    return exitCodes.done;
  });
}
