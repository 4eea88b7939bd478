// The last deliveries of each webhook, and what happened to them.

import { sql } from 'kysely';
import type { Migration } from './migration.ts';

export const deliveries: Migration = {
  name: '0024-deliveries',
  statements: ({ schema }) => [
    schema
      .createTable('deliveries')
      .addColumn('id', 'text', (column) => column.notNull().primaryKey())
      .addColumn('webhook_id', 'text', (column) => column.notNull())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('result', 'text', (column) => column.notNull())
      .addColumn('scheme', 'text', (column) => column.notNull())
      .addColumn('body_hash', 'text', (column) => column.notNull())
      .addColumn('event', 'text')
      .addColumn('sender_id', 'text')
      .addColumn('run_id', 'text')
      .addColumn('args', 'text')
      .addColumn('has_secrets', 'integer', (column) => column.notNull())
      .addColumn('problem', 'text')
      .addColumn('detail', 'text')
      .addColumn('repeats', 'integer', (column) => column.notNull()),
    schema.createIndex('deliveries_by_webhook').on('deliveries').columns(['webhook_id', 'id']),
    schema.createIndex('deliveries_by_age').on('deliveries').column('at'),
    schema
      .createIndex('deliveries_by_body')
      .unique()
      .on('deliveries')
      .columns(['webhook_id', 'body_hash', 'result'])
      .where(sql.ref('run_id'), 'is', null),
  ],
};
