// `flwd tokens revoke ID`: from now on the token lets nobody in.

import type { AnswerOf } from '../../contract/operations.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { oneOperand } from '../option-values.ts';
import { type Session, withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';
import { listTokens } from './tokens-list.ts';

type Token = AnswerOf<'listTokens'>['tokens'][number];

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const word = oneOperand(operands, 'flwd tokens revoke ID, such as token_01…; flwd tokens list shows them');
  const output = createOutput(options);
  return withSession(options, async (session) => {
    const { tokens } = await listTokens(session);
    const before = tokens.find((token) => token.id === word) ?? tokenCalled(tokens, word, session);
    const id = before?.id ?? word;
    await session.client.request('revokeToken', { path: { token_id: id } });
    if (before?.status === 'revoked') output.say(`${id} was revoked before, ${output.time(before.revoked_at)}`);
    else output.say(`revoked ${id}${before ? ` (${before.name})` : ''}`);
    return exitCodes.done;
  });
}

/** The one in force of this name. @throws Refusal where there are several, or only former ones */
function tokenCalled(tokens: readonly Token[], name: string, { command }: Session): Token | undefined {
  const called = tokens.filter((token) => token.name === name);
  const [first, second] = called.filter(({ status }) => status === 'active');
  if (second)
    throw new Refusal(`several tokens in force are called ${name}: name one by its id; ${command('tokens', 'list')}`);
  if (first) return first;
  if (called.length > 0)
    throw new Refusal(
      `no token in force is called ${name}; ${command('tokens', 'list')} shows those that were`,
      exitCodes.notFound,
    );
  return undefined;
}
