// The key-value store of jobs, and its size by namespace and in total.

import type { Migration } from './migration.ts';

export const kv: Migration = {
  name: '0017-kv',
  statements: ({ schema }, { bytes }) => [
    schema
      .createTable('kv')
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('namespace', 'text', (column) => column.notNull())
      .addColumn('key', 'text', (column) => column.notNull())
      .addColumn('version', 'bigint', (column) => column.notNull())
      .addColumn('size_bytes', 'integer', (column) => column.notNull())
      .addColumn('updated_at', 'bigint', (column) => column.notNull())
      .addColumn('updated_by', 'text', (column) => column.notNull())
      .addColumn('expires_at', 'bigint')
      .addColumn('request', 'text')
      .addColumn('value', bytes, (column) => column.notNull())
      .addPrimaryKeyConstraint('kv_key', ['tenant', 'namespace', 'key']),
    schema.createIndex('kv_by_expiry').on('kv').column('expires_at').where('expires_at', 'is not', null),
    schema
      .createTable('kv_totals')
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('namespace', 'text', (column) => column.notNull())
      .addColumn('keys', 'bigint', (column) => column.notNull())
      .addColumn('size_bytes', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('kv_totals_key', ['tenant', 'namespace']),
  ],
};
