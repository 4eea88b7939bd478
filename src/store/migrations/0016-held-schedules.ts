// Whether an operation holds or releases a schedule, whatever its config.yaml says, and from when on the schedule fires
// again. A table of facts about the host: its time zone, and the last boot that the instance has seen.

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
