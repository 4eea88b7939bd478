// Whether a schedule is held, where an operation says so rather than its config.yaml, and from when on it fires again.

import type { Migration } from './migration.ts';

export const heldSchedules: Migration = {
  name: '0016-held-schedules',
  statements: ({ schema }) => [
    schema.alterTable('schedule_states').addColumn('held', 'integer'),
    schema.alterTable('schedule_states').addColumn('not_before', 'bigint'),
  ],
};
