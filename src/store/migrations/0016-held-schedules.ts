// Schedules can be held and released by an operation, whatever their config.yaml says, and a release can take effect at
// a later time. A new table has facts about the host: its time zone, and the last boot that the instance has seen.

import type { Migration } from './migration.ts';

export const heldSchedules: Migration = {
  name: '0016-held-schedules',
  statements: ({ schema }) => [
    schema.alterTable('schedule_states').addColumn('held', 'integer'),
    schema.alterTable('schedule_states').addColumn('not_before', 'bigint'),
    schema
      .createTable('instance')
      .addColumn('name', 'text', (column) => column.primaryKey().notNull())
      .addColumn('value', 'text', (column) => column.notNull()),
  ],
};
