// Credentials with which a part of this process calls the API as another principal. They exist only in this process
// (ADR 0064).

import { randomBytes } from 'node:crypto';
import type { Principal } from '../../domain/principal.ts';
import { hashSecret } from '../../lib/secret-hash.ts';

type Lent = {
  readonly credential: string;
  /** Replaces the principal with the principal of the caller's latest request. */
  readonly renew: (principal: Principal) => void;
  readonly end: () => void;
};

const prefix = 'flwd_lent_';

export type LentCredentials = {
  readonly find: (credential: string) => Principal | undefined;
  readonly lend: (principal: Principal) => Lent;
};

export function createLentCredentials(): LentCredentials {
  /** The keys are hashes, so that the time of a look-up does not show how much of a credential is right. */
  const principals = new Map<string, Principal>();
  return {
    find: (credential) => (credential.startsWith(prefix) ? principals.get(hashSecret(credential)) : undefined),
    lend(principal) {
      const credential = `${prefix}${randomBytes(32).toString('hex')}`;
      const hash = hashSecret(credential);
      principals.set(hash, principal);
      return {
        credential,
        renew: (next) => void principals.set(hash, next),
        end: () => void principals.delete(hash),
      };
    },
  };
}
