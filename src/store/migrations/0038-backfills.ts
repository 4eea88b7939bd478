// Backfills, which start runs for past times of a schedule.

import { sql } from 'kysely';
import type { Migration } from './migration.ts';

export const backfills: Migration = {
  name: '0038-backfills',
  statements: ({ schema }) => [
    schema
      .createTable('backfills')
      .addColumn('id', 'text', (column) => column.notNull().primaryKey())
      .addColumn('schedule_id', 'text', (column) => column.notNull())
      .addColumn('job_id', 'text', (column) => column.notNull())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('from_at', 'bigint', (column) => column.notNull())
      .addColumn('until_at', 'bigint', (column) => column.notNull())
      .addColumn('at_once', 'integer', (column) => column.notNull())
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('times', 'text', (column) => column.notNull())
      .addColumn('cursor', 'integer', (column) => column.notNull())
      .addColumn('in_span', 'integer', (column) => column.notNull())
      .addColumn('left_out', 'integer', (column) => column.notNull())
      .addColumn('started', 'integer', (column) => column.notNull())
      .addColumn('failed_runs', 'integer')
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('created_by', 'text', (column) => column.notNull())
      .addColumn('bound_to', 'text')
      .addColumn('account', 'text', (column) => column.notNull())
      .addColumn('finished_at', 'bigint')
      .addColumn('problem', 'text')
      .addColumn('detail', 'text'),
    schema.createIndex('backfills_by_creation').on('backfills').columns(['created_at', 'id']),
    schema.createIndex('backfills_by_end').on('backfills').column('finished_at'),
    schema
      .createIndex('backfills_under_way')
      .on('backfills')
      .columns(['created_at', 'id'])
      .where(sql.ref('finished_at'), 'is', null),
  ],
};
