// Retention: indexes to find old rows, and a table of runs whose logs were removed.

import type { Migration } from './migration.ts';

export const retention: Migration = {
  name: '0005-retention',
  statements: ({ schema }) => [
    schema.createIndex('runs_by_end').on('runs').columns(['finished_at', 'id']).where('finished_at', 'is not', null),
    schema.createIndex('log_segments_by_age').on('log_segments').columns(['last_at_us', 'run_id']),
    schema.createIndex('idempotency_by_age').on('idempotency').columns(['created_at']),
    schema
      .createTable('expired_logs')
      .addColumn('run_id', 'text', (column) => column.primaryKey().notNull().references('runs.id').onDelete('cascade'))
      .addColumn('at', 'bigint', (column) => column.notNull()),
  ],
};
