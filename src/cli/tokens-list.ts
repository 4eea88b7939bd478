// `flwd tokens list`: every token there is or was, newest first; never the token itself.

import type { AnswerOf } from '../contract/operations.ts';
import type { Options } from './command.ts';
import { loadConfiguration } from './configuration.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { onInstance } from './owner-client.ts';
import { toMinute, toTable } from './table.ts';

type Page = AnswerOf<'listTokens'>;
type Token = Page['tokens'][number];

export async function run(options: Options): Promise<ExitCode> {
  const { config } = loadConfiguration(options);
  const { manageTokens } = await import('../operator.ts');
  const tokens = await onInstance(config, {
    alone: () => manageTokens(config, ({ list }) => everyPage(list)),
    byOwner: (client) => everyPage((query) => client.call('listTokens', { query })),
  });
  process.stdout.write(toTable([heading, ...tokens.map(toRow)]));
  return exitCodes.done;
}

async function everyPage(list: (page: { limit: number; cursor?: string }) => Promise<Page>): Promise<Token[]> {
  const tokens: Token[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = await list({ limit: 1_000, ...(cursor && { cursor }) });
    tokens.push(...page.tokens);
    cursor = page.next_cursor;
  }
  return tokens;
}

const heading = ['ID', 'NAME', 'TENANT', 'STATUS', 'EXPIRES', 'LAST USED', 'SCOPES'];

function toRow(token: Token): string[] {
  const { id, name, tenant, status, expires_at: expiresAt, last_used_at: lastUsedAt, scopes } = token;
  return [id, name, tenant, status, toMinute(expiresAt), toMinute(lastUsedAt), scopes.join(',')];
}
