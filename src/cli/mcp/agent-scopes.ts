// Reads which scopes an agent gets.

import { agentScopes, type Scope, scopes, usualAgentScopes } from '../../domain/principal.ts';
import { nearest } from '../../lib/nearest.ts';
import type { Options } from '../command.ts';
import { Refusal } from '../exit-code.ts';

/** @throws Refusal */
export function readAgentScopes(options: Options): readonly Scope[] {
  const [listed] = options.get('scopes') ?? [];
  if (listed === undefined) return usualAgentScopes;
  return listed.split(',').map((word) => toScope(word.trim()));
}

/** @throws Refusal */
function toScope(word: string): Scope {
  const scope = scopes.find((known) => known === word);
  if (scope && agentScopes.includes(scope)) return scope;
  if (scope) throw new Refusal(`--scopes: an agent never gets \`${scope}\`; use a token if a program needs it`);
  const near = nearest(word, agentScopes);
  throw new Refusal(
    `--scopes: unknown scope \`${word}\`; ${near ? `did you mean \`${near}\`?` : `use ${agentScopes.join(', ')}`}`,
  );
}
