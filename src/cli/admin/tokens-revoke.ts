// `flwd tokens revoke ID`: the token is refused from now on.

import type { AnswerOf } from '../../contract/operations.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { oneOperand } from '../option-values.ts';
import { type Session, withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';
import { listTokens } from './tokens-list.ts';

type Token = AnswerOf<'listTokens'>['tokens'][number];

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const word = oneOperand(operands, 'flwd tokens revoke ID, such as token_01…; flwd tokens list shows the ids');
  const output = createOutput(options);
  return withSession(options, async (session) => {
    const { tokens } = await listTokens(session);
    const before = tokens.find((token) => token.id === word) ?? tokenCalled(tokens, word, session);
    const id = before?.id ?? word;
    await session.client.request('revokeToken', { path: { token_id: id } });
    if (before?.status === 'revoked') output.say(`${id} was already revoked, ${output.time(before.revoked_at)}`);
    else output.say(`revoked ${id}${before ? ` (${before.name})` : ''}`);
    return exitCodes.done;
  });
}

/** The active token of this name. @throws Refusal where there are several, or only revoked or expired ones */
function tokenCalled(tokens: readonly Token[], name: string, { command }: Session): Token | undefined {
  const called = tokens.filter((token) => token.name === name);
  const [first, second] = called.filter(({ status }) => status === 'active');
  if (second)
    throw new Refusal(`several active tokens are named ${name}: give the id; ${command('tokens', 'list')} shows it`);
  if (first) return first;
  if (called.length > 0)
    throw new Refusal(
      `no active token is named ${name}; ${command('tokens', 'list')} shows revoked and expired ones`,
      exitCodes.notFound,
    );
  return undefined;
}
