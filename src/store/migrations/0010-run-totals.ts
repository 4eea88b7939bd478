// Makes the totals of lists by time and by label fast. It adds counters of ended runs, and indexes with all columns
// that a list can filter by, so that no list has to look up single runs.

import { type Kysely, sql } from 'kysely';
import type { Schema } from '../schema.ts';
import type { Migration } from './migration.ts';

const hourMs = 3_600_000;

/**
 * The indexes of `runs` to which this migration adds the source. The source of a run never changes, so the indexes are
 * written no more often than before.
 */
const ofRuns = {
  runs_by_job: ['job_id', 'created_at', 'id', 'source'],
  runs_by_job_and_status: ['job_id', 'status', 'created_at', 'id', 'source'],
  runs_by_status: ['status', 'created_at', 'id', 'source'],
  runs_by_tenant: ['tenant', 'created_at', 'id', 'source'],
  runs_by_tenant_and_job: ['tenant', 'job_id', 'created_at', 'id', 'source'],
  runs_by_tenant_and_status: ['tenant', 'status', 'created_at', 'id', 'source'],
} as const;

const ofLabels = {
  run_labels_by_key: ['key', 'created_at', 'run_id', 'job_id', 'source', 'status'],
  run_labels_by_value: ['key', 'value', 'created_at', 'run_id', 'job_id', 'source', 'status'],
  run_labels_by_tenant_and_key: ['tenant', 'key', 'created_at', 'run_id', 'job_id', 'source', 'status'],
  run_labels_by_tenant_and_value: ['tenant', 'key', 'value', 'created_at', 'run_id', 'job_id', 'source', 'status'],
} as const;

export const runTotals: Migration = {
  name: '0010-run-totals',
  statements: (db, { tableByKey }) => [
    ...Object.keys({ ...ofRuns, ...ofLabels }).map((name) => db.schema.dropIndex(name)),

    db.schema.alterTable('run_labels').addColumn('job_id', 'text', (column) => column.notNull().defaultTo('')),
    db.schema.alterTable('run_labels').addColumn('source', 'text', (column) => column.notNull().defaultTo('')),
    db.schema.alterTable('run_labels').addColumn('status', 'text'),
    db
      .updateTable('run_labels')
      .from('runs')
      .set((eb) => ({ job_id: eb.ref('runs.job_id'), source: eb.ref('runs.source'), status: eb.ref('runs.status') }))
      .whereRef('runs.id', '=', 'run_labels.run_id'),
    db.updateTable('run_labels').set({ status: null }).where('status', 'in', ['pending', 'running']),

    ...Object.entries(ofRuns).map(([name, columns]) =>
      db.schema
        .createIndex(name)
        .on('runs')
        .columns([...columns]),
    ),
    ...Object.entries(ofLabels).map(([name, columns]) =>
      db.schema
        .createIndex(name)
        .on('run_labels')
        .columns([...columns]),
    ),

    db.schema
      .createIndex('run_labels_by_job')
      .on('run_labels')
      .columns(['job_id', 'key', 'created_at', 'run_id', 'value', 'tenant', 'source', 'status']),

    db.schema
      .createTable('run_hours')
      .addColumn('label', 'text', (column) => column.notNull())
      .addColumn('hour', 'bigint', (column) => column.notNull())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('source', 'text', (column) => column.notNull())
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('count', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('run_hours_key', ['label', 'hour', 'tenant', 'source', 'status'])
      .modifyEnd(sql.raw(tableByKey)),
    db.schema
      .createTable('run_label_counts')
      .addColumn('label', 'text', (column) => column.notNull())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('job_id', 'text', (column) => column.notNull())
      .addColumn('source', 'text', (column) => column.notNull())
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('count', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('run_label_counts_key', ['label', 'tenant', 'job_id', 'source', 'status'])
      .modifyEnd(sql.raw(tableByKey)),
    ...countEnded(db),
  ],
};

const labels = [sql<string>`key`, sql<string>`key || '=' || value`];
const hour = sql<number>`created_at - created_at % ${sql.lit(hourMs)}`;

/** Benchmarks also use this, because they insert runs directly. */
export function countEnded(db: Kysely<Schema>) {
  const hours = db.insertInto('run_hours').columns(['label', 'hour', 'tenant', 'source', 'status', 'count']);
  return [
    hours.expression((eb) =>
      eb
        .selectFrom('runs')
        .select((of) => [
          sql<string>`''`.as('label'),
          hour.as('hour'),
          'tenant',
          'source',
          'status',
          of.fn.countAll<number>().as('count'),
        ])
        .where('status', 'not in', ['pending', 'running'])
        .groupBy(['hour', 'tenant', 'source', 'status']),
    ),
    ...labels.map((label) =>
      hours.expression((eb) =>
        eb
          .selectFrom('run_labels')
          .select((of) => [
            label.as('label'),
            hour.as('hour'),
            'tenant',
            'source',
            of.ref('status').$notNull().as('status'),
            of.fn.countAll<number>().as('count'),
          ])
          .where('status', 'is not', null)
          .groupBy(['label', 'hour', 'tenant', 'source', 'status']),
      ),
    ),
    ...labels.map((label) =>
      db
        .insertInto('run_label_counts')
        .columns(['label', 'tenant', 'job_id', 'source', 'status', 'count'])
        .expression((eb) =>
          eb
            .selectFrom('run_labels')
            .select((of) => [
              label.as('label'),
              'tenant',
              'job_id',
              'source',
              of.ref('status').$notNull().as('status'),
              of.fn.countAll<number>().as('count'),
            ])
            .where('status', 'is not', null)
            .groupBy(['label', 'tenant', 'job_id', 'source', 'status']),
        ),
    ),
  ];
}
