// Stored secrets, for the API and for the plans of runs. Callers can put, list and remove them. Only runs get values.

import { isSecretName } from '../../domain/access/secret-name.ts';
import { type Principal, tenantPattern } from '../../domain/principal.ts';
import { Problem, validationError } from '../../domain/problem.ts';
import type { Clock } from '../../lib/clock.ts';
import type { RecordChange } from '../../store/audit/audit.ts';
import type { Store } from '../../store/open.ts';
import type { StoredSecret } from '../../store/secrets.ts';
import { longestSecretBytes } from '../plan/request-arguments.ts';
import type { Sealer } from './seal.ts';

export type StoredSecrets = ReturnType<typeof createStoredSecrets>;

/** With shorter secrets, redaction would blank out half of a log. */
const fewestBytes = 4;

export function createStoredSecrets(o: {
  readonly store: Pick<Store, 'db' | 'secrets'>;
  readonly sealer: Sealer;
  readonly clock: Clock;
}) {
  const { store, sealer, clock } = o;
  return {
    page: store.secrets.page,
    names: store.secrets.names,
    /** @throws Problem validation-error */
    async put(
      secret: NewSecret,
      by: Principal,
      record?: RecordChange,
    ): Promise<{ readonly secret: StoredSecret; readonly isNew: boolean }> {
      refuse(secret);
      const { tenant, name } = secret;
      return store.db.transact((tx) => {
        record?.(tx, { id: name, tenant });
        const sealed = sealer.seal(secret.value, contextOfSecret(tenant, name));
        return store.secrets.put(tx, { tenant, name, sealed, by: by.name, atMs: clock.now() });
      });
    },
    /** @throws Problem secret-not-found */
    remove: (tenant: string, name: string, record?: RecordChange): Promise<void> =>
      store.db.transact(async (tx) => {
        if (!(await store.secrets.remove(tx, tenant, name))) {
          throw new Problem('secret-not-found', `The secret '${name}' does not exist`);
        }
        record?.(tx, { id: name, tenant });
      }),
    /** @throws Problem secret-unavailable */
    valueOf: async (tenant: string, name: string): Promise<string> => {
      const sealed = await store.secrets.sealed(tenant, name);
      if (sealed === undefined)
        throw new Problem(
          'secret-unavailable',
          `There is no stored secret '${name}': store it with \`flwd secrets set ${name}\`.`,
        );
      try {
        return sealer.unseal(sealed, contextOfSecret(tenant, name));
      } catch {
        const why = "cannot be opened: its key is not among the server's keys. Store it again, or restore the key.";
        throw new Problem('secret-unavailable', `The stored secret '${name}' ${why}`);
      }
    },
  };
}

/** The context that a stored secret is bound to. A tenant contains no space. */
export function contextOfSecret(tenant: string, name: string): string {
  return `secret ${tenant} ${name}`;
}

type NewSecret = { readonly tenant: string; readonly name: string; readonly value: string };

/** The messages never repeat the value. @throws Problem validation-error */
function refuse({ tenant, name: given, value }: NewSecret): void {
  const bytes = Buffer.byteLength(value);
  const wrong =
    bytes < fewestBytes
      ? `must have at least ${fewestBytes} bytes`
      : bytes > longestSecretBytes
        ? `must have at most ${longestSecretBytes} bytes`
        : value.includes('\0')
          ? 'must not contain a NUL character'
          : value.isWellFormed()
            ? undefined
            : 'must be well-formed Unicode';
  const errors = [];
  if (!isSecretName(given)) {
    const message = 'the name of a secret is up to 128 letters, digits, `.`, `_` and `-`, the first a letter or digit';
    errors.push({ pointer: '', message, keyword: 'pattern' });
  }
  if (!tenantPattern.test(tenant)) {
    errors.push({ pointer: '?tenant', message: 'is not a valid tenant', keyword: 'pattern' });
  }
  if (wrong !== undefined)
    errors.push({ pointer: '/value', message: `the value of ${given} ${wrong}`, keyword: 'format' });
  if (errors.length > 0) throw validationError(errors);
}
