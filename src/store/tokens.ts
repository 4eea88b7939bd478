// API tokens. A row is never deleted, so the audit log always finds the token that it names.

import type { ApiToken } from '../domain/access/api-token.ts';
import { parseCursor, toCursor } from './cursor.ts';
import type { Database, Transaction } from './database.ts';
import { countRows } from './query-parts.ts';
import type { TokenRow } from './schema.ts';

export type StoredToken = ApiToken & {
  /** The SHA-256 of the secret, in hexadecimal. */
  readonly hash: string;
};

type TokenPage = { readonly limit: number; readonly offset?: number; readonly cursor?: string };

export type TokenStore = ReturnType<typeof createTokenStore>;

export function createTokenStore({ read }: Pick<Database, 'read'>) {
  const ofTenant = (tenant: string) =>
    read.selectFrom('tokens').$if(tenant !== '*', (query) => query.where('tenant', '=', tenant));

  return {
    /** Adds the token. Returns false if another token has its name and is not revoked. */
    async add(tx: Transaction, token: StoredToken): Promise<boolean> {
      const added = await tx.db
        .insertInto('tokens')
        .values(toRow(token))
        .onConflict((conflict) => conflict.doNothing())
        .returning('id')
        .executeTakeFirst();
      return added !== undefined;
    },

    find: async (id: string): Promise<StoredToken | undefined> => {
      const row = await read.selectFrom('tokens').selectAll().where('id', '=', id).executeTakeFirst();
      return row && toToken(row);
    },

    /**
     * Lists the tokens, newest first. With `*`, lists the tokens of all tenants.
     * @throws Problem validation-error for a malformed cursor
     */
    async list(tenant: string, { limit, offset = 0, cursor }: TokenPage) {
      const after = cursor === undefined ? undefined : parseCursor(cursor);
      const total = await countRows(ofTenant(tenant));
      const rows = await ofTenant(tenant)
        .selectAll()
        .$if(after !== undefined, (query) => query.where('id', '<', after?.id ?? ''))
        .orderBy('id', 'desc')
        .limit(limit + 1)
        .offset(after ? 0 : offset)
        .execute();
      const tokens = rows.slice(0, limit).map(toToken);
      const last = tokens.at(-1);
      return { tokens, total, nextCursor: last && rows.length > limit ? toCursor(last) : null };
    },

    /** Revokes the token. A token that was already revoked stays unchanged. */
    async revoke(tx: Transaction, id: string, atMs: number): Promise<void> {
      await tx.db
        .updateTable('tokens')
        .set({ revoked_at: atMs })
        .where('id', '=', id)
        .where('revoked_at', 'is', null)
        .execute();
    },

    async touch(tx: Transaction, id: string, atMs: number): Promise<void> {
      await tx.db.updateTable('tokens').set({ last_used_at: atMs }).where('id', '=', id).execute();
    },

    /** Whether at least one token is valid at that time. */
    async hasActive(nowMs: number): Promise<boolean> {
      const row = await read
        .selectFrom('tokens')
        .select('id')
        .where('revoked_at', 'is', null)
        .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', nowMs)]))
        .limit(1)
        .executeTakeFirst();
      return row !== undefined;
    },
  };
}

function toToken(row: TokenRow): StoredToken {
  return {
    id: row.id,
    name: row.name,
    hash: row.hash,
    scopes: JSON.parse(row.scopes),
    tenant: row.tenant,
    createdAtMs: row.created_at,
    createdBy: row.created_by,
    expiresAtMs: row.expires_at,
    lastUsedAtMs: row.last_used_at,
    revokedAtMs: row.revoked_at,
    limits: row.limits === null ? null : JSON.parse(row.limits),
  };
}

function toRow(token: StoredToken): TokenRow {
  return {
    id: token.id,
    name: token.name,
    hash: token.hash,
    scopes: JSON.stringify(token.scopes),
    tenant: token.tenant,
    created_at: token.createdAtMs,
    created_by: token.createdBy,
    expires_at: token.expiresAtMs,
    last_used_at: token.lastUsedAtMs,
    revoked_at: token.revokedAtMs,
    limits: token.limits && JSON.stringify(token.limits),
  };
}
