// `flwd tokens create`: creates a token and prints it, once, as the only text on standard output.

import type { BodyOf } from '../../contract/operations.ts';
import { scopes } from '../../domain/principal.ts';
import { nearest } from '../../lib/nearest.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';

type TokenRequest = BodyOf<'createToken'>;

export async function run(options: Options): Promise<ExitCode> {
  const request = readRequest(options);
  const output = createOutput(options);
  const made = await withSession(options, ({ client }) => client.call('createToken', { body: request }), {
    mayCreate: true,
  });
  if (output.isJson) {
    output.json(made);
    return exitCodes.done;
  }
  output.text(`${made.token}\n`);
  const until = made.expires_at ? `expires ${made.expires_at}` : 'does not expire';
  output.say(`${made.id} (${made.name}) of ${ofTenant(made.tenant)}, ${until}; flwd does not show it again`);
  return exitCodes.done;
}

function ofTenant(tenant: string): string {
  return tenant === '*' ? 'every tenant' : `tenant ${tenant}`;
}

/** @throws Refusal */
function readRequest(options: Options): TokenRequest {
  const one = (name: string) => options.get(name)?.[0];
  const [name, listed, tenant, expiresIn] = [one('name'), one('scopes'), one('tenant'), one('expires')];
  if (name === undefined || listed === undefined) {
    throw new Refusal('flwd tokens create needs --name and --scopes, as in --name ci --scopes runs:write,runs:read');
  }
  return {
    name,
    scopes: listed.split(',').map((word) => toScope(word.trim())),
    ...(tenant !== undefined && { tenant }),
    ...(expiresIn !== undefined && { expires_in: expiresIn }),
    ...readLimits(options),
  };
}

/** @throws Refusal */
function readLimits(options: Options): Pick<TokenRequest, 'only' | 'secrets' | 'agent' | 'approval'> {
  const only = options.get('only');
  const secrets = options.get('secrets')?.[0];
  const approval = options.get('approval')?.[0];
  if (approval !== undefined && approval !== 'always') throw new Refusal('--approval: use always, or leave it out');
  return {
    ...(only && { only: [...only] }),
    ...(secrets !== undefined && { secrets: secrets.split(',').map((name) => name.trim()) }),
    ...(options.has('agent') && { agent: true }),
    ...(approval && { approval }),
  };
}

/** @throws Refusal */
function toScope(word: string): TokenRequest['scopes'][number] {
  const scope = scopes.find((known) => known === word);
  if (scope) return scope;
  const near = nearest(word, scopes);
  throw new Refusal(
    `--scopes: unknown scope \`${word}\`; ${near ? `did you mean \`${near}\`?` : `use ${scopes.join(', ')}`}`,
  );
}
