// Reads tokens from the database and caches each for a second, so that a busy caller does not cost a query for each
// request.

import { LRUCache } from 'lru-cache';
import { type Catalog, trustedTagsOf } from '../../catalog/catalog.ts';
import { restrictionsOfToken } from '../../domain/access/api-token.ts';
import type { Principal } from '../../domain/principal.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Store } from '../../store/open.ts';
import type { StoredToken } from '../../store/tokens.ts';

type CachedToken = {
  readonly token: StoredToken;
  readonly principal: Principal;
  readonly readAtMs: number;
  lastUsedAtMs: number;
};

export type TokenCache = {
  readonly find: (id: string) => Promise<CachedToken | undefined>;
  /**
   * Stores that the token was used, at most once a minute. Requests do not wait for this, and do not fail if the
   * database is full.
   */
  readonly noteUse: (used: CachedToken) => void;
  /** Call this when the token has changed. */
  readonly forget: (id: string) => void;
};

const cachedForMs = 1_000;
const mostCached = 10_000;
const noteUseEveryMs = 60_000;

export function createTokenCache(o: {
  readonly store: Pick<Store, 'db' | 'tokens'>;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly log: Logger;
}): TokenCache {
  const { store, clock, log } = o;
  const cached = new LRUCache<string, CachedToken>({ maxSize: mostCached, sizeCalculation: () => 1 });
  let changes = 0;

  const restrictionsOf = (token: StoredToken) => restrictionsOfToken(token, (jobId) => trustedTagsOf(jobId, o.catalog));

  async function find(id: string): Promise<CachedToken | undefined> {
    const known = cached.get(id);
    const ageMs = known ? clock.now() - known.readAtMs : Number.POSITIVE_INFINITY;
    if (ageMs >= 0 && ageMs < cachedForMs) return known;
    const readAtMs = clock.now();
    const changesBefore = changes;
    const token = await store.tokens.find(id);
    // A token has changed meanwhile. So the token that was just read may be outdated, and must not be cached.
    if (changes !== changesBefore) return find(id);
    if (!token) return undefined;
    const { name, scopes, tenant } = token;
    const found: CachedToken = {
      token,
      principal: known?.principal ?? { kind: 'token', name, scopes, tenant, tokenId: id, ...restrictionsOf(token) },
      readAtMs,
      lastUsedAtMs: Math.max(token.lastUsedAtMs ?? 0, known?.lastUsedAtMs ?? 0),
    };
    cached.set(id, found);
    return found;
  }

  return {
    find,
    noteUse(used) {
      const nowMs = clock.now();
      if (nowMs - used.lastUsedAtMs < noteUseEveryMs) return;
      used.lastUsedAtMs = nowMs;
      const { id } = used.token;
      store.db
        .transact((tx) => store.tokens.touch(tx, id, nowMs))
        .catch((error: unknown) =>
          log.warn({ err: error, token_id: id }, 'the last use of a token could not be stored'),
        );
    },
    forget(id) {
      changes += 1;
      cached.delete(id);
    },
  };
}
