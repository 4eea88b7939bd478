// Stored secrets. Each is a sealed text with a tenant and a name. Only the engine can open it.

import type { Database, Transaction } from './database.ts';
import { countRows } from './query-parts.ts';
import type { Schema, SecretRow } from './schema.ts';

export type StoredSecret = Omit<SecretRow, 'sealed'>;

export type SecretStore = ReturnType<typeof createSecretStore>;

const shown = [
  'tenant',
  'name',
  'created_at',
  'created_by',
  'updated_at',
  'updated_by',
] as const satisfies readonly (keyof Schema['secrets'])[];

export function createSecretStore({ read }: Database) {
  return {
    /** Lists secrets without their texts, sorted by name. Begins after `after`. */
    page: async (
      tenant: string,
      { limit, offset = 0, after }: { readonly limit: number; readonly offset?: number; readonly after?: string },
    ): Promise<{ readonly secrets: StoredSecret[]; readonly total: number }> => {
      let rows = read.selectFrom('secrets').select(shown).where('tenant', '=', tenant);
      if (after !== undefined) rows = rows.where('name', '>', after);
      const total = await countRows(read.selectFrom('secrets').where('tenant', '=', tenant));
      const secrets = await rows.orderBy('name').limit(limit).offset(offset).execute();
      return { secrets, total };
    },

    names: async (tenant: string): Promise<string[]> => {
      const rows = await read.selectFrom('secrets').select('name').where('tenant', '=', tenant).execute();
      return rows.map(({ name }) => name);
    },

    /** Returns how many secrets all tenants have together. */
    count: (): Promise<number> => countRows(read.selectFrom('secrets')),

    async sealed(tenant: string, name: string): Promise<string | undefined> {
      const row = await read
        .selectFrom('secrets')
        .select('sealed')
        .where((eb) => eb.and({ tenant, name }))
        .executeTakeFirst();
      return row?.sealed;
    },

    /** Adds the secret, or replaces its text. */
    async put(
      tx: Transaction,
      given: Pick<SecretRow, 'tenant' | 'name' | 'sealed'> & { readonly by: string; readonly atMs: number },
    ): Promise<{ readonly secret: StoredSecret; readonly isNew: boolean }> {
      const { tenant, name, sealed, by, atMs } = given;
      const changed = await tx.db
        .updateTable('secrets')
        .set({ sealed, updated_at: atMs, updated_by: by })
        .where((eb) => eb.and({ tenant, name }))
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

    /** Removes the secret. Returns false if it does not exist. */
    async remove(tx: Transaction, tenant: string, name: string): Promise<boolean> {
      const removed = await tx.db
        .deleteFrom('secrets')
        .where((eb) => eb.and({ tenant, name }))
        .returning('name')
        .executeTakeFirst();
      return removed !== undefined;
    },
  };
}
