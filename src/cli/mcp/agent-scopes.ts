// Reads which scopes an agent gets.

import { agentScopes, type Scope, scopes, usualAgentScopes } from '../../domain/principal.ts';
import type { Options } from '../command.ts';
import { hint } from '../command-line.ts';
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
  const known = hint(word, agentScopes) ?? `; use ${agentScopes.join(', ')}`;
  throw new Refusal(`--scopes: unknown scope \`${word}\`${known}`);
}
