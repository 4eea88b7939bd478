// Stored secrets: sealed texts by tenant and name. What is in them is the engine's to know.

import type { Database, Transaction } from './database.ts';
import type { Schema, SecretRow } from './schema.ts';

export type StoredSecret = Omit<SecretRow, 'sealed'>;

export type SecretStore = {
  /** By name, behind `after`; without their texts. */
  readonly page: (
    tenant: string,
    o: { readonly limit: number; readonly offset?: number; readonly after?: string },
  ) => Promise<{ readonly secrets: StoredSecret[]; readonly total: number }>;
  /** Of all tenants. */
  readonly count: () => Promise<number>;
  readonly sealed: (tenant: string, name: string) => Promise<string | undefined>;
  /** Adds it, or gives the one of this name a new text. */
  readonly put: (
    tx: Transaction,
    secret: Pick<SecretRow, 'tenant' | 'name' | 'sealed'> & { readonly by: string; readonly atMs: number },
  ) => Promise<{ readonly secret: StoredSecret; readonly isNew: boolean }>;
  /** False where there is none. */
  readonly remove: (tx: Transaction, tenant: string, name: string) => Promise<boolean>;
};

const shown = [
  'tenant',
  'name',
  'created_at',
  'created_by',
  'updated_at',
  'updated_by',
] as const satisfies readonly (keyof Schema['secrets'])[];

export function createSecretStore({ read }: Database): SecretStore {
  return {
    async page(tenant, { limit, offset = 0, after }) {
      let rows = read.selectFrom('secrets').select(shown).where('tenant', '=', tenant);
      if (after !== undefined) rows = rows.where('name', '>', after);
      const { total } = await read
        .selectFrom('secrets')
        .select((eb) => eb.fn.countAll<number>().as('total'))
        .where('tenant', '=', tenant)
        .executeTakeFirstOrThrow();
      const secrets = await rows.orderBy('name').limit(limit).offset(offset).execute();
      return { secrets, total };
    },

    async count() {
      const { total } = await read
        .selectFrom('secrets')
        .select((eb) => eb.fn.countAll<number>().as('total'))
        .executeTakeFirstOrThrow();
      return total;
    },

    async sealed(tenant, name) {
      const row = await read
        .selectFrom('secrets')
        .select('sealed')
        .where('tenant', '=', tenant)
        .where('name', '=', name)
        .executeTakeFirst();
      return row?.sealed;
    },

    async put(tx, { tenant, name, sealed, by, atMs }) {
      const changed = await tx.db
        .updateTable('secrets')
        .set({ sealed, updated_at: atMs, updated_by: by })
        .where('tenant', '=', tenant)
        .where('name', '=', name)
        .returning(shown)
        .executeTakeFirst();
      if (changed) return { secret: changed, isNew: false };
      const secret = await tx.db
        .insertInto('secrets')
        .values({ tenant, name, sealed, created_at: atMs, created_by: by, updated_at: atMs, updated_by: by })
        .returning(shown)
        .executeTakeFirstOrThrow();
      return { secret, isNew: true };
    },

    async remove(tx, tenant, name) {
      const removed = await tx.db
        .deleteFrom('secrets')
        .where('tenant', '=', tenant)
        .where('name', '=', name)
        .returning('name')
        .executeTakeFirst();
      return removed !== undefined;
    },
  };
}
