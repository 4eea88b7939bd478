// Credentials that exist only in this process, for a part of it that calls the API as somebody else. Each stands for
// one principal (ADR 0064).

import { randomBytes } from 'node:crypto';
import type { Principal } from '../../domain/principal.ts';
import { hashSecret } from '../../lib/secret-hash.ts';

type Lent = {
  readonly credential: string;
  /** The same caller, as it was let in most recently. */
  readonly renew: (principal: Principal) => void;
  readonly end: () => void;
};

const prefix = 'flwd_lent_';

export type LentCredentials = {
  readonly find: (credential: string) => Principal | undefined;
  readonly lend: (principal: Principal) => Lent;
};

export function createLentCredentials(): LentCredentials {
  /** By hash, so that a look-up tells nothing about how much of a credential is right. */
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
