// Failures of jobs, in groups. A group has the runs of a job that failed for the same reason with the same message.

import { sql } from 'kysely';
import type { Migration } from './migration.ts';

export const failures: Migration = {
  name: '0028-failures',
  statements: ({ schema }) => [
    schema
      .createTable('failures')
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('job_id', 'text', (column) => column.notNull())
      .addColumn('fingerprint', 'text', (column) => column.notNull())
      .addColumn('reason', 'text', (column) => column.notNull())
      .addColumn('sample', 'text', (column) => column.notNull())
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('count', 'bigint', (column) => column.notNull())
      .addColumn('first_run', 'text', (column) => column.notNull())
      .addColumn('first_at', 'bigint', (column) => column.notNull())
      .addColumn('last_run', 'text', (column) => column.notNull())
      .addColumn('last_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('failures_key', ['tenant', 'job_id', 'fingerprint']),
    // When a job succeeds, the store uses this index to find the failures that are now fixed.
    schema
      .createIndex('failures_unfixed')
      .on('failures')
      .columns(['tenant', 'job_id'])
      .where(sql.ref('state'), '<>', sql.lit('fixed')),
    schema.createIndex('failures_by_age').on('failures').columns(['last_at', 'last_run']),
  ],
};
