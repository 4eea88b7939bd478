// `flwd tokens list`: lists every token ever created, newest first; never the token itself.

import type { AnswerOf } from '../../contract/operations.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { everyPage } from '../session/pages.ts';
import { type Session, withSession } from '../session/session.ts';
import { createOutput, type Output } from '../terminal/output.ts';
import type { Style } from '../terminal/table-text.ts';

type TokenList = AnswerOf<'listTokens'>;
type Status = TokenList['tokens'][number]['status'];

export async function run(options: Options): Promise<ExitCode> {
  const output = createOutput(options);
  const list = await withSession(options, listTokens);
  if (output.isJson) output.json(list);
  else await printTokens(list, output);
  return exitCodes.done;
}

/** Includes revoked and expired tokens. */
export async function listTokens({ client }: Session): Promise<TokenList> {
  const pages = await everyPage((from) => client.call('listTokens', { query: { limit: 1_000, ...from } }));
  return { ...pages[0], tokens: pages.flatMap(({ tokens }) => tokens), next_cursor: null };
}

const styles = { active: 'good', expired: 'faint', revoked: 'faint' } as const satisfies Record<Status, Style>;

async function printTokens({ tokens }: TokenList, output: Output): Promise<void> {
  if (tokens.length === 0) {
    output.say('no tokens');
    return;
  }
  const columns = [
    { name: 'ID' },
    { name: 'NAME', isFlexible: true as const },
    { name: 'TENANT', isFlexible: true as const },
    { name: 'STATUS' },
    { name: 'CREATED' },
    { name: 'BY', isFlexible: true as const },
    { name: 'EXPIRES' },
    { name: 'LAST USED' },
    { name: 'SCOPES', isFlexible: true as const },
    { name: 'LIMITS', isFlexible: true as const },
  ];
  const timeOrNever = (at: string | null): string => (at === null ? 'never' : output.time(at));
  await output.table(
    columns,
    tokens.map((token) => [
      token.id,
      token.name,
      token.tenant,
      { text: token.status, style: styles[token.status] },
      output.time(token.created_at),
      token.created_by,
      timeOrNever(token.expires_at),
      timeOrNever(token.last_used_at),
      token.scopes.join(','),
      limitsOf(token),
    ]),
  );
}

function limitsOf({ only, secrets, agent, approval }: TokenList['tokens'][number]): string {
  return [
    ...(agent ? ['agent'] : []),
    ...(approval ? ['each run waits for a person'] : []),
    ...(only ? [`only ${only.join(' ')}`] : []),
    ...(secrets ? [`secrets ${secrets.join(' ') || 'none'}`] : []),
  ].join(', ');
}
