// Stored secrets and their key as the operator changes them on the data dir itself, where no server does it and enters it
// in the audit log.

import { ownEntry } from '../domain/audit.ts';
import { localPrincipal } from '../domain/principal.ts';
import type { RecordChange } from '../store/audit.ts';
import type { Store } from '../store/open.ts';
import { createKeyRotation, type KeyRotation } from './key-rotation.ts';
import { createStoredSecrets, type StoredSecrets } from './stored-secrets.ts';

export type OperatorSecrets = Pick<StoredSecrets, 'page'> & {
  readonly remove: (tenant: string, name: string) => Promise<void>;
  readonly put: (secret: Parameters<StoredSecrets['put']>[0]) => ReturnType<StoredSecrets['put']>;
  readonly rotate: KeyRotation['rotate'];
};

type Parts = Parameters<typeof createKeyRotation>[0] &
  Parameters<typeof createStoredSecrets>[0] & { readonly store: Pick<Store, 'audit'> };

export function createOperatorSecrets(o: Parts): OperatorSecrets {
  const { page, put, remove } = createStoredSecrets(o);
  const { rotate } = createKeyRotation(o);
  return {
    page,
    put: (secret) => put(secret, localPrincipal, recordOwn('secret.set')),
    remove: (tenant, name) => remove(tenant, name, recordOwn('secret.delete')),
    async rotate(request) {
      const found = await rotate(request);
      const object = { kind: 'instance', id: null } as const;
      await o.store.audit.record(ownEntry('local', { action: 'secret.rotate', object, tenant: '*', detail: null }));
      return found;
    },
  };
}

function recordOwn(action: 'secret.set' | 'secret.delete'): RecordChange {
  return (tx, { id, tenant }) =>
    tx.record(ownEntry('local', { action, object: { kind: 'secret', id }, tenant, detail: null }));
}
