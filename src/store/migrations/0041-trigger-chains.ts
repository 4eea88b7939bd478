// For each run that began a chain of triggers: how many runs follow from it, and how many starts were refused because
// the chain was too long.

import type { Migration } from './migration.ts';

export const triggerChains: Migration = {
  name: '0041-trigger-chains',
  statements: ({ schema }) => [
    schema
      .createTable('trigger_chains')
      .addColumn('run_id', 'text', (column) => column.primaryKey().notNull().references('runs.id').onDelete('cascade'))
      .addColumn('runs', 'integer', (column) => column.notNull())
      .addColumn('refusals', 'integer', (column) => column.notNull()),
  ],
};
