// The revision of a job when a failure first occurred. It is kept longer than the run.

import type { Migration } from './migration.ts';

export const firstRevisions: Migration = {
  name: '0040-first-revisions',
  statements: ({ schema }) => [schema.alterTable('failures').addColumn('first_revision', 'text')],
};
