// Late runs and successes, the jobs whose successes are expected, and notifications that are not about a run.

import { type Kysely, sql } from 'kysely';
import type { Schema } from '../schema.ts';
import type { Migration } from './migration.ts';

export const late: Migration = {
  name: '0035-late',
  statements: (db) => [
    db.schema
      .createTable('late')
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('job_id', 'text', (column) => column.notNull())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('key', 'text', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('run_id', 'text')
      .addColumn('schedule_id', 'text')
      .addColumn('detail', 'text', (column) => column.notNull())
      .addColumn('over_at', 'bigint')
      .addColumn('told', 'text')
      .addPrimaryKeyConstraint('late_key', ['tenant', 'job_id', 'kind', 'key']),
    db.schema.createIndex('late_by_age').on('late').column('at'),
    db.schema.createIndex('late_open').on('late').column('at').where(sql.ref('over_at'), 'is', null),
    db.schema.createIndex('late_untold').on('late').column('at').where(sql.ref('told'), 'is', null),
    db.schema
      .createTable('expecting_jobs')
      .addColumn('job_id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('terms', 'text', (column) => column.notNull())
      .addColumn('since_at', 'bigint', (column) => column.notNull()),

    // SQLite cannot drop a `not null`, so a new table replaces the old one.
    db.schema
      .createTable('notices_anew')
      .addColumn('id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('run_id', 'text', (column) => column.references('runs.id').onDelete('cascade'))
      .addColumn('n', 'integer', (column) => column.notNull())
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('origin', 'text', (column) => column.notNull())
      .addColumn('attempts', 'integer', (column) => column.notNull())
      .addColumn('next_at', 'bigint')
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('finished_at', 'bigint')
      .addColumn('last_error', 'text')
      .addColumn('webhook', 'text', (column) => column.notNull())
      .addColumn('event', 'text')
      .addColumn('channel', 'text')
      .addColumn('step_id', 'text')
      .addColumn('event_id', 'bigint', (column) => column.notNull().defaultTo(0))
      .addColumn('failures', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('digest', 'integer')
      .addColumn('taken_by', 'text')
      .addColumn('late', 'text'),
    copied(db),
    db.schema.dropTable('notices'),
    db.schema.alterTable('notices_anew').renameTo('notices'),
    db.schema.createIndex('notices_by_due').on('notices').columns(['next_at']).where('next_at', 'is not', null),
    db.schema.createIndex('notices_by_run').unique().on('notices').columns(['run_id', 'event_id', 'n']),
    db.schema
      .createIndex('notices_by_channel')
      .on('notices')
      .columns(['channel', 'created_at'])
      .where(sql.ref('channel'), 'is not', null),
  ],
};

function copied(db: Kysely<Schema>) {
  const raw = sql`insert into notices_anew select notices.*, null from notices`;
  return { compile: () => raw.compile(db), execute: () => raw.execute(db) };
}
