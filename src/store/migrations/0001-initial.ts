// The tables of the first release. A migration that was released is never changed. Each change of the schema is a new
// migration.

import type { Migration } from './migration.ts';

export const initial: Migration = {
  name: '0001-initial',
  statements: ({ schema }, { growingId }) => [
    schema
      .createTable('runs')
      .addColumn('id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('job_id', 'text', (column) => column.notNull())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('source', 'text', (column) => column.notNull())
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('reason', 'text')
      .addColumn('waiting', 'text')
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('started_at', 'bigint')
      .addColumn('finished_at', 'bigint')
      .addColumn('exit_code', 'integer')
      .addColumn('attempt', 'integer', (column) => column.notNull())
      .addColumn('priority', 'integer', (column) => column.notNull())
      .addColumn('version', 'integer', (column) => column.notNull())
      .addColumn('queue_ms', 'bigint')
      .addColumn('trigger', 'text', (column) => column.notNull())
      .addColumn('created_by', 'text', (column) => column.notNull())
      .addColumn('worker', 'text')
      .addColumn('cancel_requested_at', 'bigint')
      .addColumn('labels', 'text', (column) => column.notNull())
      .addColumn('progress', 'text')
      .addColumn('error', 'text')
      .addColumn('termination', 'text')
      .addColumn('details', 'text', (column) => column.notNull())
      .addColumn('args', 'text', (column) => column.notNull())
      .addColumn('result', 'text'),
    schema.createIndex('runs_by_age').on('runs').columns(['created_at', 'id']),
    schema.createIndex('runs_by_job').on('runs').columns(['job_id', 'created_at', 'id']),
    schema.createIndex('runs_by_job_and_status').on('runs').columns(['job_id', 'status', 'created_at', 'id']),
    schema.createIndex('runs_by_status').on('runs').columns(['status', 'created_at', 'id']),
    schema.createIndex('runs_by_tenant').on('runs').columns(['tenant', 'created_at', 'id']),
    schema.createIndex('runs_by_source').on('runs').columns(['source', 'created_at', 'id']),

    schema
      .createTable('run_plans')
      .addColumn('run_id', 'text', (column) => column.primaryKey().notNull().references('runs.id').onDelete('cascade'))
      .addColumn('plan', 'text', (column) => column.notNull())
      .addColumn('sealed', 'text'),

    schema
      .createTable('run_labels')
      .addColumn('run_id', 'text', (column) => column.notNull().references('runs.id').onDelete('cascade'))
      .addColumn('key', 'text', (column) => column.notNull())
      .addColumn('value', 'text', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('run_labels_key', ['run_id', 'key']),
    schema.createIndex('run_labels_by_key').on('run_labels').columns(['key', 'created_at', 'run_id']),
    schema.createIndex('run_labels_by_value').on('run_labels').columns(['key', 'value', 'created_at', 'run_id']),

    schema
      .createTable('run_counts')
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('job_id', 'text', (column) => column.notNull())
      .addColumn('source', 'text', (column) => column.notNull())
      .addColumn('count', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('run_counts_key', ['status', 'tenant', 'job_id', 'source']),

    schema
      .createTable('steps')
      .addColumn('run_id', 'text', (column) => column.notNull().references('runs.id').onDelete('cascade'))
      .addColumn('step_id', 'text', (column) => column.notNull())
      .addColumn('attempt', 'integer', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('reason', 'text')
      .addColumn('started_at', 'bigint')
      .addColumn('finished_at', 'bigint')
      .addColumn('exit_code', 'integer')
      .addColumn('needs', 'text', (column) => column.notNull())
      .addColumn('outputs', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('steps_key', ['run_id', 'step_id', 'attempt']),

    schema
      .createTable('events')
      .addColumn('id', growingId, (column) => column.primaryKey().notNull())
      .addColumn('type', 'text', (column) => column.notNull())
      .addColumn('run_id', 'text', (column) => column.notNull())
      .addColumn('job_id', 'text', (column) => column.notNull())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('data', 'text')
      .addColumn('first_seq', 'bigint')
      .addColumn('count', 'bigint', (column) => column.notNull()),
    schema.createIndex('events_by_run').on('events').columns(['run_id', 'id']),

    schema
      .createTable('sequences')
      .addColumn('name', 'text', (column) => column.primaryKey().notNull())
      .addColumn('next_id', 'bigint', (column) => column.notNull()),

    schema
      .createTable('idempotency')
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('key', 'text', (column) => column.notNull())
      .addColumn('body_hash', 'text', (column) => column.notNull())
      .addColumn('run_id', 'text', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('answer_status', 'integer')
      .addColumn('answer_body', 'text')
      .addPrimaryKeyConstraint('idempotency_key', ['tenant', 'key']),

    // This table does not reference the run, because an artifact may be kept longer than its run.
    schema
      .createTable('artifacts')
      .addColumn('id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('run_id', 'text', (column) => column.notNull())
      .addColumn('job_id', 'text', (column) => column.notNull())
      .addColumn('step_id', 'text', (column) => column.notNull())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('path', 'text', (column) => column.notNull())
      .addColumn('media_type', 'text', (column) => column.notNull())
      .addColumn('size_bytes', 'bigint', (column) => column.notNull())
      .addColumn('sha256', 'text', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('expires_at', 'bigint'),
    schema.createIndex('artifacts_by_age').on('artifacts').columns(['created_at', 'id']),
    schema.createIndex('artifacts_by_run').on('artifacts').columns(['run_id', 'created_at', 'id']),
    schema.createIndex('artifacts_by_job').on('artifacts').columns(['job_id', 'created_at', 'id']),
    schema.createIndex('artifacts_by_name').on('artifacts').columns(['name', 'created_at', 'id']),
    schema
      .createIndex('artifacts_by_expiry')
      .on('artifacts')
      .columns(['expires_at', 'job_id'])
      .where('expires_at', 'is not', null),

    schema
      .createTable('artifact_counts')
      .addColumn('job_id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('count', 'bigint', (column) => column.notNull())
      .addColumn('size_bytes', 'bigint', (column) => column.notNull()),

    // This table does not reference the run, because the files must be removed before their rows.
    schema
      .createTable('log_segments')
      .addColumn('run_id', 'text', (column) => column.notNull())
      .addColumn('n', 'integer', (column) => column.notNull())
      .addColumn('first_seq', 'bigint', (column) => column.notNull())
      .addColumn('last_seq', 'bigint', (column) => column.notNull())
      .addColumn('first_at_us', 'bigint', (column) => column.notNull())
      .addColumn('last_at_us', 'bigint', (column) => column.notNull())
      .addColumn('raw_bytes', 'bigint', (column) => column.notNull())
      .addColumn('stored_bytes', 'bigint', (column) => column.notNull())
      .addColumn('encoding', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('log_segments_key', ['run_id', 'n']),
  ],
};
