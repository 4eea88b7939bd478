// Runs with several steps: the position of each attempt in its run, its epoch, its deadline, and its results.

import type { Migration } from './migration.ts';

export const steps: Migration = {
  name: '0002-steps',
  statements: ({ schema }) => [
    schema.alterTable('steps').addColumn('n', 'integer', (column) => column.notNull().defaultTo(1)),
    schema.alterTable('steps').addColumn('kind', 'text', (column) => column.notNull().defaultTo('command')),
    schema.alterTable('steps').addColumn('instance_of', 'text'),
    schema.alterTable('steps').addColumn('item', 'text'),
    schema.alterTable('steps').addColumn('epoch', 'integer', (column) => column.notNull().defaultTo(0)),
    schema.alterTable('steps').addColumn('worker', 'text'),
    schema.alterTable('steps').addColumn('not_before', 'bigint'),
    schema.alterTable('steps').addColumn('deadline_at', 'bigint'),
    schema.alterTable('steps').addColumn('child_run_id', 'text'),
    schema.alterTable('steps').addColumn('message', 'text'),
    schema.alterTable('steps').addColumn('approval', 'text'),
    schema.alterTable('steps').addColumn('termination', 'text'),
    schema.alterTable('steps').addColumn('sealed', 'text'),
    schema
      .createIndex('steps_by_deadline')
      .on('steps')
      .columns(['deadline_at', 'finished_at'])
      .where('deadline_at', 'is not', null)
      .where('finished_at', 'is', null),
    schema.alterTable('runs').addColumn('deadline_at', 'bigint'),
    schema.alterTable('runs').addColumn('concurrency_key', 'text'),
    schema.alterTable('runs').addColumn('concurrency_limit', 'integer'),
    schema
      .createIndex('runs_by_deadline')
      .on('runs')
      .columns(['deadline_at', 'finished_at'])
      .where('deadline_at', 'is not', null)
      .where('finished_at', 'is', null),
  ],
};
