// Credentials with which a part of this process calls the API as another principal. They exist only in this process
// (ADR 0064).

import { randomBytes } from 'node:crypto';
import type { Principal } from '../../domain/principal.ts';
import { hashSecret } from '../../lib/secret-hash.ts';

type DelegatedCredential = {
  readonly credential: string;
  /** Replaces the principal with the principal of the caller's latest request. */
  readonly renew: (principal: Principal) => void;
  readonly end: () => void;
};

const prefix = 'flwd_delegated_';

export type DelegatedCredentials = {
  readonly find: (credential: string) => Principal | undefined;
  readonly delegate: (principal: Principal) => DelegatedCredential;
};

export function createDelegatedCredentials(): DelegatedCredentials {
  /** The keys are hashes, so that the time of a look-up does not show how much of a credential is right. */
  const principals = new Map<string, Principal>();
  return {
    find: (credential) => (credential.startsWith(prefix) ? principals.get(hashSecret(credential)) : undefined),
    delegate(principal) {
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
