// `flwd tokens`: creates, lists and revokes tokens.

import type { Client } from '../../client/client.ts';
import type { AnswerOf, BodyOf } from '../../contract/operations.ts';
import { createJobLimit } from '../../domain/access/job-limit.ts';
import { scopes } from '../../domain/principal.ts';
import { defined } from '../../lib/defined.ts';
import type { Options } from '../command.ts';
import { hint } from '../command-line.ts';
import { exitCodes, Refusal } from '../exit-code.ts';
import { oneOperand, readValue } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { everyPage } from '../session/pages.ts';
import { type Session, withSession } from '../session/session.ts';
import { createOutput, flexible, type Output } from '../terminal/output.ts';
import type { Style } from '../terminal/table-text.ts';

type TokenRequest = BodyOf<'createToken'>;
type TokenList = AnswerOf<'listTokens'>;
type Token = TokenList['tokens'][number];

/** `flwd tokens create`: prints the token, once, as the only text on standard output. */
export async function create(options: Options): Promise<void> {
  const request = readRequest(options);
  const output = createOutput(options);
  const made = await withSession(
    options,
    async ({ client }) => {
      for (const unmatched of await withoutJobs(request.only ?? [], client))
        output.warn(`warning: --only ${unmatched} matches no job now`);
      return client.call('createToken', { body: request });
    },
    { mayCreate: true },
  );
  if (output.isJson) return output.json(made);
  output.text(`${made.token}\n`);
  const until = made.expires_at ? `expires ${made.expires_at}` : 'does not expire';
  const tenant = made.tenant === '*' ? 'every tenant' : `tenant ${made.tenant}`;
  output.say(`${made.id} (${made.name}) of ${tenant}, ${until}; flwd does not show it again`);
}

/** Returns the patterns that match no job; an empty list if the jobs cannot be read. */
async function withoutJobs(only: readonly string[], client: Client): Promise<readonly string[]> {
  const jobs = only.length === 0 ? undefined : await readJobs(client);
  if (!jobs) return [];
  const tagsOf = (jobId: string) => jobs.find(({ id }) => id === jobId)?.tags ?? [];
  return only.filter((one) => {
    const limit = createJobLimit([one], tagsOf);
    return !jobs.some(({ id }) => limit.has(id));
  });
}

async function readJobs(client: Client): Promise<AnswerOf<'listJobs'>['jobs'] | undefined> {
  try {
    return (await client.call('listJobs', { query: {} })).jobs;
  } catch {
    return undefined;
  }
}

/** `flwd tokens list`: lists every token ever created, newest first, but never the text of a token. */
export async function list(options: Options): Promise<void> {
  const output = createOutput(options);
  const found = await withSession(options, listTokens);
  if (output.isJson) output.json(found);
  else if (found.tokens.length === 0) output.say('no tokens');
  else await printTokens(found.tokens, output);
}

/** `flwd tokens revoke ID`: the token is refused from now on. */
export async function revoke(options: Options, operands: readonly string[]): Promise<void> {
  const word = oneOperand(
    operands,
    `${ownName} tokens revoke ID, such as token_01…; ${ownName} tokens list shows the ids`,
  );
  const output = createOutput(options);
  return withSession(options, async (session) => {
    const { tokens } = await listTokens(session);
    const before = tokens.find((token) => token.id === word) ?? tokenCalled(tokens, word, session);
    const id = before?.id ?? word;
    await session.client.request('revokeToken', { path: { token_id: id } });
    if (before?.status === 'revoked') output.say(`${id} was already revoked, ${output.time(before.revoked_at)}`);
    else output.say(`revoked ${id}${before ? ` (${before.name})` : ''}`);
  });
}

/** @throws Refusal */
function readRequest(options: Options): TokenRequest {
  const [name, listed] = [readValue(options, 'name'), readValue(options, 'scopes')];
  if (name === undefined || listed === undefined) {
    throw new Refusal(
      `${ownName} tokens create needs --name and --scopes, as in --name ci --scopes runs:write,runs:read`,
    );
  }
  const approval = readValue(options, 'approval');
  if (approval !== undefined && approval !== 'always') throw new Refusal('--approval: use always, or leave it out');
  const terms = defined({
    tenant: readValue(options, 'tenant'),
    expires_in: readValue(options, 'expires'),
    only: options.get('only')?.slice(),
    secrets: readValue(options, 'secrets')
      ?.split(',')
      .map((secret) => secret.trim()),
    agent: options.has('agent') || undefined,
    approval,
  } as const);
  return { name, scopes: listed.split(',').map((word) => toScope(word.trim())), ...terms };
}

/** @throws Refusal */
function toScope(word: string): TokenRequest['scopes'][number] {
  const scope = scopes.find((known) => known === word);
  if (scope) return scope;
  throw new Refusal(`--scopes: unknown scope \`${word}\`${hint(word, scopes) ?? `; use ${scopes.join(', ')}`}`);
}

/** Reads all tokens, including revoked and expired ones. */
async function listTokens({ client }: Session): Promise<TokenList> {
  const pages = await everyPage((from) => client.call('listTokens', { query: { limit: 1_000, ...from } }));
  return { ...pages[0], tokens: pages.flatMap(({ tokens }) => tokens), next_cursor: null };
}

const styles = { active: 'good', expired: 'faint', revoked: 'faint' } as const satisfies Record<Token['status'], Style>;

async function printTokens(tokens: readonly Token[], output: Output): Promise<void> {
  const columns = [
    'ID',
    flexible('NAME'),
    flexible('TENANT'),
    'STATUS',
    'CREATED',
    flexible('BY'),
    'EXPIRES',
    'LAST USED',
    flexible('SCOPES'),
    flexible('LIMITS'),
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

function limitsOf({ only, secrets, agent, approval }: Token): string {
  return [
    ...(agent ? ['agent'] : []),
    ...(approval ? ['each run waits for a person'] : []),
    ...(only ? [`only ${only.join(' ')}`] : []),
    ...(secrets ? [`secrets ${secrets.join(' ') || 'none'}`] : []),
  ].join(', ');
}

/**
 * Finds the active token with this name.
 * @throws Refusal if several active tokens have it, or only revoked or expired ones
 */
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
