// What the caller may do, asked for once for all pages, so that they offer no button that the server would refuse.

import { createContext, type ReactNode, useCallback, useContext } from 'react';
import { ApiProblem } from '../../client/api-problem.ts';
import { holdsScope, type Scope } from '../../domain/principal.ts';
import { useLoaded } from './loading.ts';
import { useClient, useSession } from './session.tsx';

/** Whether the caller holds a scope; null while that is not known. */
type May = (scope: Scope) => boolean | null;

const ScopesContext = createContext<May>(() => null);

export function ScopesProvider({ children }: { readonly children: ReactNode }): ReactNode {
  const client = useClient();
  const { departures } = useSession();
  const { value: scopes } = useLoaded({ key: String(departures) }, async (signal) => {
    // Any caller may ask for the health; the system information needs a scope of its own.
    const { caller } = await client.call('getHealth', { signal }).catch(unhealthy);
    return caller.scopes;
  });
  const may = useCallback<May>((scope) => scopes && holdsScope({ scopes }, scope), [scopes]);
  return <ScopesContext value={may}>{children}</ScopesContext>;
}

export function useScopes(): May {
  return useContext(ScopesContext);
}

/** An unhealthy server says who asks, too: a run can still be cancelled there. */
function unhealthy(error: unknown): { readonly caller: { readonly scopes: readonly string[] } } {
  const { caller }: { caller?: unknown } = error instanceof ApiProblem ? error.members : {};
  const { scopes }: { scopes?: unknown } = typeof caller === 'object' && caller !== null ? caller : {};
  if (!Array.isArray(scopes)) throw error;
  return { caller: { scopes: scopes.map(String) } };
}
