// API tokens. A token that is revoked or has expired keeps its row, so that its name in the audit log can still be
// explained.

import { sql } from 'kysely';
import type { Migration } from './migration.ts';

export const tokens: Migration = {
  name: '0006-tokens',
  statements: ({ schema }) => [
    schema
      .createTable('tokens')
      .addColumn('id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('hash', 'text', (column) => column.notNull())
      .addColumn('scopes', 'text', (column) => column.notNull())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('created_by', 'text', (column) => column.notNull())
      .addColumn('expires_at', 'bigint')
      .addColumn('last_used_at', 'bigint')
      .addColumn('revoked_at', 'bigint'),
    schema.createIndex('tokens_by_name').unique().on('tokens').column('name').where(sql.ref('revoked_at'), 'is', null),
  ],
};
