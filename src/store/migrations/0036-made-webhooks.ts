// Webhooks that are made at run time.

import type { Migration } from './migration.ts';

export const madeWebhooks: Migration = {
  name: '0036-made-webhooks',
  statements: ({ schema }) => [
    schema
      .createTable('webhooks')
      .addColumn('id', 'text', (column) => column.notNull().primaryKey())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('job_id', 'text', (column) => column.notNull())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('token_hash', 'text', (column) => column.notNull())
      .addColumn('scheme', 'text', (column) => column.notNull())
      .addColumn('terms', 'text', (column) => column.notNull())
      .addColumn('per_minute', 'integer')
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('created_by', 'text', (column) => column.notNull()),
    schema.createIndex('webhooks_by_token').unique().on('webhooks').column('token_hash'),
    schema.createIndex('webhooks_by_name').unique().on('webhooks').columns(['tenant', 'job_id', 'name']),
  ],
};
