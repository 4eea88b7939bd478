// The keys of deliveries that started runs.

import type { Migration } from './migration.ts';

export const webhooks: Migration = {
  name: '0021-webhooks',
  statements: ({ schema }) => [
    schema
      .createTable('delivery_keys')
      .addColumn('webhook_id', 'text', (column) => column.notNull())
      .addColumn('key', 'text', (column) => column.notNull())
      .addColumn('run_id', 'text', (column) => column.notNull())
      .addColumn('expires_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('delivery_keys_key', ['webhook_id', 'key']),
    schema.createIndex('delivery_keys_by_expiry').on('delivery_keys').column('expires_at'),
  ],
};
