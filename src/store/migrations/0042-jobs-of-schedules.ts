// The state of a schedule says which job the schedule starts, also while the job's config.yaml cannot be read.

import type { Migration } from './migration.ts';

export const jobsOfSchedules: Migration = {
  name: '0042-jobs-of-schedules',
  statements: ({ schema }) => [schema.alterTable('schedule_states').addColumn('job_id', 'text')],
};
