// Owners. Each run names the server that drives it, and a table has the leases of servers (ADR 0039).

import type { Migration } from './migration.ts';

export const owners: Migration = {
  name: '0014-owners',
  statements: ({ schema }) => [
    schema
      .createTable('owners')
      .addColumn('id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('host', 'text', (column) => column.notNull())
      .addColumn('lease', 'text', (column) => column.notNull())
      .addColumn('renewed_at', 'bigint', (column) => column.notNull()),
    schema.alterTable('runs').addColumn('owner', 'text'),
    schema.alterTable('runs').addColumn('epoch', 'integer', (column) => column.notNull().defaultTo(0)),
  ],
};
