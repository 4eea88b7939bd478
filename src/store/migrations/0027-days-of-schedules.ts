// Schedules that fire once, days on which a schedule fires or does not fire, and pauses of all schedules of a tenant.

import type { Migration } from './migration.ts';

export const daysOfSchedules: Migration = {
  name: '0027-days-of-schedules',
  statements: ({ schema }) => [
    schema.alterTable('schedules').addColumn('at', 'bigint'),
    schema.alterTable('schedules').addColumn('days', 'text'),
    schema
      .createTable('schedule_pauses')
      .addColumn('tenant', 'text', (column) => column.primaryKey().notNull())
      .addColumn('paused_at', 'bigint', (column) => column.notNull())
      .addColumn('paused_by', 'text', (column) => column.notNull()),
  ],
};
