// Schedules that were made through the API, and the state of every schedule, including those of config.yaml.

import type { Migration } from './migration.ts';

export const schedules: Migration = {
  name: '0003-schedules',
  statements: ({ schema }) => [
    schema
      .createTable('schedules')
      .addColumn('id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('name', 'text')
      .addColumn('job_id', 'text', (column) => column.notNull())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('cron', 'text', (column) => column.notNull())
      .addColumn('timezone', 'text', (column) => column.notNull())
      .addColumn('args', 'text', (column) => column.notNull())
      .addColumn('catch_up', 'text', (column) => column.notNull())
      .addColumn('jitter_ms', 'bigint', (column) => column.notNull())
      .addColumn('enabled', 'integer', (column) => column.notNull())
      .addColumn('labels', 'text', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('updated_at', 'bigint', (column) => column.notNull())
      .addColumn('created_by', 'text', (column) => column.notNull()),

    // This table does not reference `schedules`, because a schedule of config.yaml has no row there.
    schema
      .createTable('schedule_states')
      .addColumn('schedule_id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('since_at', 'bigint', (column) => column.notNull())
      .addColumn('settled_at', 'bigint')
      .addColumn('idle_since_at', 'bigint')
      .addColumn('last_fire', 'text')
      .addColumn('last_error', 'text'),
  ],
};
