// Stored secrets and their key as the operator changes them on the data dir itself, where no server does it and enters it
// in the audit log.

import { operatorEntry } from '../domain/audit.ts';
import { localPrincipal } from '../domain/principal.ts';
import type { Store } from '../store/open.ts';
import { createKeyRotation, type KeyRotation } from './key-rotation.ts';
import { createStoredSecrets, type StoredSecrets } from './stored-secrets.ts';

export type OperatorSecrets = Pick<StoredSecrets, 'page' | 'remove'> & {
  readonly put: (secret: Parameters<StoredSecrets['put']>[0]) => ReturnType<StoredSecrets['put']>;
  readonly rotate: KeyRotation['rotate'];
};

type Parts = Parameters<typeof createKeyRotation>[0] &
  Parameters<typeof createStoredSecrets>[0] & { readonly store: Pick<Store, 'audit'> };

export function createOperatorSecrets(o: Parts): OperatorSecrets {
  const { page, put, remove } = createStoredSecrets(o);
  const { rotate } = createKeyRotation(o);
  const record = (action: 'secret.set' | 'secret.delete' | 'secret.rotate', tenant: string, id: string | null) => {
    const kind = id === null ? 'instance' : 'secret';
    return o.store.audit.record(operatorEntry({ action, object: { kind, id }, tenant, detail: null }));
  };
  return {
    page,
    async put(secret) {
      const made = await put(secret, localPrincipal);
      await record('secret.set', secret.tenant, secret.name);
      return made;
    },
    async remove(tenant, name) {
      await remove(tenant, name);
      await record('secret.delete', tenant, name);
    },
    async rotate(request) {
      const found = await rotate(request);
      await record('secret.rotate', '*', null);
      return found;
    },
  };
}
