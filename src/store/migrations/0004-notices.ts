// Notifications: the rules of each run, and a row for each webhook call (ADR 0012).

import type { Migration } from './migration.ts';

export const notices: Migration = {
  name: '0004-notices',
  statements: (db) => [
    db.schema.alterTable('run_plans').addColumn('notify', 'text'),

    db.schema
      .createTable('notices')
      .addColumn('id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('run_id', 'text', (column) => column.notNull().references('runs.id').onDelete('cascade'))
      .addColumn('n', 'integer', (column) => column.notNull())
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('origin', 'text', (column) => column.notNull())
      .addColumn('attempts', 'integer', (column) => column.notNull())
      .addColumn('next_at', 'bigint')
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('finished_at', 'bigint')
      .addColumn('last_error', 'text')
      .addColumn('webhook', 'text', (column) => column.notNull()),
    db.schema.createIndex('notices_by_run').unique().on('notices').columns(['run_id', 'n']),
    db.schema.createIndex('notices_by_due').on('notices').columns(['next_at']).where('next_at', 'is not', null),

    // Existing runs have no rules, so the cursor starts after their events.
    db
      .insertInto('sequences')
      .columns(['name', 'next_id'])
      .expression((eb) =>
        eb
          .selectFrom('sequences')
          .select((of) => [of.val('notices').as('name'), 'next_id'])
          .where('name', '=', 'events'),
      ),
  ],
};
