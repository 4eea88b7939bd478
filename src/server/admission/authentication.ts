// Finds the principal behind a credential: a token, a JWT, or one of the credentials that only the server's own user
// can read (ADR 0015). local-callers.ts decides who needs no credential, and admission.ts what each principal may do.

import type { Catalog } from '../../catalog/catalog.ts';
import { parseCredential, tokenPrefix, tokenStatus } from '../../domain/access/api-token.ts';
import { accountOf, localPrincipal, type Principal } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { hashSecret, isSameHash } from '../../lib/secret-hash.ts';
import type { Store } from '../../store/open.ts';
import type { DelegatedCredentials } from './delegated-credentials.ts';
import { createFailedLogins } from './failed-logins.ts';
import { createTokenCache } from './token-cache.ts';

/** Returns undefined if the JWT is not valid. */
export type JwtVerifier = { readonly verify: (token: string) => Promise<Principal | undefined> };

export type Authentication = {
  /**
   * @param authorization every `Authorization` header of the request
   * @param from the address that the request came from
   * @throws Problem unauthenticated, rate-limited, malformed-request
   */
  readonly authenticate: (authorization: readonly string[], from: string) => Promise<Principal>;
  /** Whether the credential of an admitted principal is still valid. */
  readonly isStillValid: (principal: Principal) => Promise<boolean>;
  /** Call this when a token has changed. */
  readonly forget: (tokenId: string) => void;
};

export function createAuthentication(o: {
  readonly store: Pick<Store, 'db' | 'tokens'>;
  readonly catalog: Catalog;
  readonly jwt: JwtVerifier | null;
  /** A caller with one of these credentials is the server's own user. */
  readonly ownCredentials: readonly string[];
  readonly delegated: Pick<DelegatedCredentials, 'find'>;
  readonly clock: Clock;
  readonly log: Logger;
}): Authentication {
  const { clock } = o;
  const tokens = createTokenCache(o);
  const countFailure = createFailedLogins(clock);
  const ownHashes = o.ownCredentials.map(hashSecret);
  /** The functions that check again whether a principal is still valid. */
  const checks = new WeakMap<Principal, () => Promise<boolean>>();

  async function authenticateToken(credential: string): Promise<Principal> {
    const parts = parseCredential(credential);
    const found = parts && (await tokens.find(parts.id));
    if (!found || !isSameHash(hashSecret(parts.secret), found.token.hash)) throw notValid();
    const status = tokenStatus(found.token, clock.now());
    // The caller has the right token, so it may learn why the token is refused.
    if (status !== 'active') throw new Problem('unauthenticated', `The token '${found.token.name}' is ${status}.`);
    tokens.noteUse(found);
    checks.set(found.principal, async () => {
      const current = await tokens.find(parts.id);
      return current !== undefined && tokenStatus(current.token, clock.now()) === 'active';
    });
    return found.principal;
  }

  async function isStillValid(principal: Principal): Promise<boolean> {
    return (await checks.get(accountOf(principal))?.()) ?? true;
  }

  /**
   * Finds the principal of a delegated credential. This is not a login, so it is not counted. It fails if the
   * credential of that principal is no longer valid.
   */
  async function identifyDelegated(credential: string): Promise<Principal | undefined> {
    const delegated = o.delegated.find(credential);
    if (delegated && !(await isStillValid(delegated))) throw notValid();
    return delegated;
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
      const delegated = await identifyDelegated(bearerIn(authorization[0]) ?? '');
      if (delegated) return delegated;
      try {
        return await identify(credentialIn(authorization));
      } catch (error) {
        const isFailedLogin = error instanceof Problem && error.slug === 'unauthenticated';
        throw (isFailedLogin && countFailure(from)) || error;
      }
    },
    isStillValid,
    forget: tokens.forget,
  };
}

/** @throws Problem malformed-request, unauthenticated */
function credentialIn([authorization, ...others]: readonly string[]): string {
  // Node would take the first of several headers, but a proxy in front of the server may have checked the last.
  if (others.length > 0) {
    throw new Problem('malformed-request', 'The request has more than one `Authorization` header; send one.');
  }
  const credential = bearerIn(authorization);
  if (credential !== undefined) return credential;
  throw new Problem('unauthenticated', 'The `Authorization` header must be `Bearer` and a token.');
}

/** RFC 6750, section 2.1 */
function bearerIn(authorization = ''): string | undefined {
  return /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization)?.[1];
}

function notValid(): Problem {
  return new Problem('unauthenticated', 'The credential is not valid.');
}
