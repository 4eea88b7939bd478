// Whether a schedule is held, where an operation says so rather than its config.yaml, and from when on it fires again.
// And a table of what an instance keeps of its host: its time zone, and the boot it has seen last.

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
