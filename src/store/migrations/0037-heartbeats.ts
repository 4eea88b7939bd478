// The addresses that are called after each success of a schedule, and how these calls went.

import { sql } from 'kysely';
import type { Migration } from './migration.ts';

export const heartbeats: Migration = {
  name: '0037-heartbeats',
  statements: ({ schema }) => [
    schema.alterTable('schedules').addColumn('heartbeat', 'text'),
    schema
      .createTable('heartbeats')
      .addColumn('schedule_id', 'text', (column) => column.notNull().primaryKey())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('address', 'text', (column) => column.notNull())
      .addColumn('run_id', 'text', (column) => column.notNull())
      .addColumn('success_at', 'bigint', (column) => column.notNull())
      .addColumn('attempts', 'integer', (column) => column.notNull())
      .addColumn('next_at', 'bigint')
      .addColumn('called_at', 'bigint')
      .addColumn('failed_at', 'bigint')
      .addColumn('last_error', 'text'),
    schema
      .createIndex('heartbeats_by_due')
      .on('heartbeats')
      .column('next_at')
      .where(sql.ref('next_at'), 'is not', null),
  ],
};
