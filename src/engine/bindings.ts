// Finds the limits that apply to the runs of a schedule or a webhook, if a limited caller has made it (ADR 0067).

import { type Catalog, trustedTagsOf } from '../catalog/catalog.ts';
import { restrictionsOfToken, tokenStatus } from '../domain/access/api-token.ts';
import type { Binding, Principal } from '../domain/principal.ts';
import { Problem } from '../domain/problem.ts';
import type { Clock } from '../lib/clock.ts';
import type { TokenStore } from '../store/tokens.ts';

/** @throws Problem permission-denied when the token is no longer valid */
export async function limitsOf(
  binding: Binding | null,
  o: {
    readonly store: { readonly tokens: Pick<TokenStore, 'find'> };
    readonly catalog: Catalog;
    readonly clock: Clock;
  },
): Promise<Pick<Principal, 'jobs' | 'secrets' | 'asksAlways' | 'isAgent' | 'madeBy'>> {
  if (!binding) return {};
  const { tokenId, isAgent } = binding;
  if (tokenId === null) return { isAgent };
  const token = await o.store.tokens.find(tokenId);
  const status = token ? tokenStatus(token, o.clock.now()) : 'gone';
  if (!token || status !== 'active')
    throw new Problem('permission-denied', `The token '${token?.name ?? tokenId}' that created it is ${status}.`);
  const restrictions = restrictionsOfToken(token, (jobId) => trustedTagsOf(jobId, o.catalog));
  return { ...restrictions, ...(isAgent && { isAgent }), madeBy: tokenId };
}
