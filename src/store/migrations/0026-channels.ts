// Notifications to channels, notifications of more events, and the jobs whose last run failed (ADR 0068).

import { sql } from 'kysely';
import type { Migration } from './migration.ts';

export const channels: Migration = {
  name: '0026-channels',
  statements: (db) => [
    db.schema.alterTable('notices').addColumn('event', 'text'),
    db.schema.alterTable('notices').addColumn('channel', 'text'),
    db.schema.alterTable('notices').addColumn('step_id', 'text'),
    db.schema.alterTable('notices').addColumn('event_id', 'bigint', (column) => column.notNull().defaultTo(0)),
    db.schema.alterTable('notices').addColumn('failures', 'integer', (column) => column.notNull().defaultTo(0)),
    db.schema.alterTable('notices').addColumn('digest', 'integer'),
    db.updateTable('notices').set({
      event: sql`(select status from runs where runs.id = notices.run_id)`,
    }),
    db.schema.dropIndex('notices_by_run'),
    // A run may ask for several approvals, so a rule can produce several notifications for one run.
    db.schema.createIndex('notices_by_run').unique().on('notices').columns(['run_id', 'event_id', 'n']),
    db.schema
      .createIndex('notices_by_channel')
      .on('notices')
      .columns(['channel', 'created_at'])
      .where(sql.ref('channel'), 'is not', null),
    db.schema
      .createTable('failing_jobs')
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('job_id', 'text', (column) => column.notNull())
      .addColumn('run_id', 'text', (column) => column.notNull().references('runs.id').onDelete('cascade'))
      .addColumn('failures', 'integer', (column) => column.notNull())
      .addColumn('told', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('failing_jobs_key', ['tenant', 'job_id']),
    db.schema.createIndex('failing_jobs_by_run').on('failing_jobs').column('run_id'),
  ],
};
