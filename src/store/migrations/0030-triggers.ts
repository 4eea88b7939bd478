// The results of triggers. A result says what a trigger did after an event that it waits for, such as the end of a run.

import type { Migration } from './migration.ts';

export const triggers: Migration = {
  name: '0030-triggers',
  statements: ({ schema }) => [
    schema
      .createTable('trigger_results')
      .addColumn('trigger_id', 'text', (column) => column.notNull())
      .addColumn('key', 'text', (column) => column.notNull())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('result', 'text', (column) => column.notNull())
      .addColumn('run_id', 'text')
      .addColumn('problem', 'text')
      .addColumn('detail', 'text')
      .addPrimaryKeyConstraint('trigger_results_key', ['trigger_id', 'key']),
    schema.createIndex('trigger_results_by_age').on('trigger_results').column('at'),
    schema.createIndex('trigger_results_by_trigger').on('trigger_results').columns(['trigger_id', 'at']),
  ],
};
