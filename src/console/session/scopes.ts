// The caller's scopes, so that the pages offer no button that the server would refuse.

import { ApiProblem } from '../../client/api-problem.ts';
import { holdsScope, type Scope } from '../../domain/principal.ts';
import { useAnswer } from './answers.tsx';

/** @returns whether the caller holds a scope; null while that is not known */
export function useScopes(): (scope: Scope) => boolean | null {
  const { data: scopes } = useAnswer(
    ['scopes'],
    async (client, signal) => {
      // Every caller may read the health. The system information would need a scope.
      const { caller } = await client.call('getHealth', { signal }).catch(unhealthy);
      return caller.scopes;
    },
    { staleTime: Number.POSITIVE_INFINITY },
  );
  return (scope) => (scopes ? holdsScope({ scopes }, scope) : null);
}

/** Runs can be cancelled even on an unhealthy server, so the caller's scopes are read from the server's error. */
function unhealthy(error: unknown): { readonly caller: { readonly scopes: readonly string[] } } {
  const { caller }: { caller?: unknown } = error instanceof ApiProblem ? error.members : {};
  const { scopes }: { scopes?: unknown } = typeof caller === 'object' && caller !== null ? caller : {};
  if (!Array.isArray(scopes)) throw error;
  return { caller: { scopes: scopes.map(String) } };
}
