// Whose a credential is: a token's, a JWT's, or the server's own user's who can read its file (ADR 0015). Who may come
// without one is local-callers.ts's, what each may do is admission's.

import { LRUCache } from 'lru-cache';
import { parseCredential, tokenPrefix, tokenStatus } from '../../domain/api-token.ts';
import { localPrincipal, type Principal } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { hashSecret, isSameHash } from '../../lib/secret-hash.ts';
import type { Store } from '../../store/open.ts';
import type { StoredToken } from '../../store/tokens.ts';
import { createFailedLogins } from './failed-logins.ts';

/** undefined: the JWT is not valid. */
export type JwtVerifier = { readonly verify: (token: string) => Promise<Principal | undefined> };

export type Authentication = {
  /**
   * @param authorization each header `Authorization` of the request
   * @param from the address it came from
   * @throws Problem unauthenticated, rate-limited, malformed-request
   */
  readonly authenticate: (authorization: readonly string[], from: string) => Promise<Principal>;
  /** Whether who was let in would be let in again. */
  readonly isStillValid: (principal: Principal) => Promise<boolean>;
  /** The row of a token has changed. */
  readonly forget: (tokenId: string) => void;
};

type Known = {
  readonly token: StoredToken;
  readonly principal: Principal;
  readonly readAtMs: number;
  touchedAtMs: number;
};

const knownForMs = 1_000;
const mostKnown = 10_000;
const touchEveryMs = 60_000;

export function createAuthentication(o: {
  readonly store: Pick<Store, 'db' | 'tokens'>;
  readonly jwt: JwtVerifier | null;
  /** Whoever has one of these is the server's own user. */
  readonly ownCredentials: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
}): Authentication {
  const { store, clock, log } = o;
  const countFailure = createFailedLogins(clock);
  const ownHashes = o.ownCredentials.map(hashSecret);
  const known = new LRUCache<string, Known>({ maxSize: mostKnown, sizeCalculation: () => 1 });
  /** How often rows of tokens have changed. */
  let changes = 0;
  const checks = new WeakMap<Principal, () => Promise<boolean>>();

  async function findToken(id: string): Promise<Known | undefined> {
    const found = known.get(id);
    const ageMs = found ? clock.now() - found.readAtMs : Number.POSITIVE_INFINITY;
    if (ageMs >= 0 && ageMs < knownForMs) return found;
    const readAtMs = clock.now();
    const before = changes;
    const token = await store.tokens.find(id);
    // What was read may be from before a change that is durable by now, and must not be known from here on.
    if (changes !== before) return findToken(id);
    if (!token) return undefined;
    const { name, scopes, tenant } = token;
    const now: Known = {
      token,
      principal: found?.principal ?? { kind: 'token', name, scopes, tenant },
      readAtMs,
      touchedAtMs: Math.max(token.lastUsedAtMs ?? 0, found?.touchedAtMs ?? 0),
    };
    checks.set(now.principal, () => isActive(id));
    known.set(id, now);
    return now;
  }

  async function isActive(id: string): Promise<boolean> {
    const found = await findToken(id);
    return found !== undefined && tokenStatus(found.token, clock.now()) === 'active';
  }

  /** Nobody waits for it, and a database that cannot be written keeps nobody out. */
  function touch(used: Known, atMs: number): void {
    if (atMs - used.touchedAtMs < touchEveryMs) return;
    used.touchedAtMs = atMs;
    const { id } = used.token;
    store.db
      .transact((tx) => store.tokens.touch(tx, id, atMs))
      .catch((error: unknown) => log.warn({ err: error, token_id: id }, 'the last use of a token could not be noted'));
  }

  async function authenticateToken(credential: string): Promise<Principal> {
    const parts = parseCredential(credential);
    const found = parts && (await findToken(parts.id));
    if (!found || !isSameHash(hashSecret(parts.secret), found.token.hash)) throw notValid();
    const status = tokenStatus(found.token, clock.now());
    // Whoever has the whole token may know what has become of it.
    if (status !== 'active') throw new Problem('unauthenticated', `The token '${found.token.name}' is ${status}.`);
    touch(found, clock.now());
    return found.principal;
  }

  async function identify(credential: string): Promise<Principal> {
    const hash = hashSecret(credential);
    if (ownHashes.some((own) => isSameHash(hash, own))) return localPrincipal;
    if (credential.startsWith(tokenPrefix)) return authenticateToken(credential);
    const principal = await o.jwt?.verify(credential);
    if (!principal) throw notValid();
    checks.set(principal, async () => (await o.jwt?.verify(credential)) !== undefined);
    return principal;
  }

  return {
    async authenticate(authorization, from) {
      try {
        return await identify(credentialIn(authorization));
      } catch (error) {
        const isFailedLogin = error instanceof Problem && error.slug === 'unauthenticated';
        throw (isFailedLogin && countFailure(from)) || error;
      }
    },

    isStillValid: async (principal) => (await checks.get(principal)?.()) ?? true,

    forget(tokenId) {
      changes++;
      known.delete(tokenId);
    },
  };
}

/** @throws Problem malformed-request, unauthenticated */
function credentialIn([authorization = '', ...others]: readonly string[]): string {
  // Node would take the first, and a proxy before it may have looked at the last.
  if (others.length > 0) throw new Problem('malformed-request', 'The header `Authorization` is there twice.');
  // RFC 6750, section 2.1
  const [, credential] = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization) ?? [];
  if (credential) return credential;
  throw new Problem('unauthenticated', 'The header `Authorization` must be `Bearer` and a token.');
}

function notValid(): Problem {
  return new Problem('unauthenticated', 'The credential is not valid.');
}
