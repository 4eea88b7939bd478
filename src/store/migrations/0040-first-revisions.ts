// The revision of the job at which a failure was first seen. It outlives the run.

import type { Migration } from './migration.ts';

export const firstRevisions: Migration = {
  name: '0040-first-revisions',
  statements: ({ schema }) => [schema.alterTable('failures').addColumn('first_revision', 'text')],
};
