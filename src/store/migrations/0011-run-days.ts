// Counters by day. Summing the hours of two months takes ten times as long as summing the days.

import { type Kysely, sql } from 'kysely';
import type { Schema } from '../schema.ts';
import type { Migration } from './migration.ts';

const dayMs = 86_400_000;

export const runDays: Migration = {
  name: '0011-run-days',
  statements: (db, { tableByKey }) => [
    db.schema
      .createTable('run_days')
      .addColumn('label', 'text', (column) => column.notNull())
      .addColumn('day', 'bigint', (column) => column.notNull())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('source', 'text', (column) => column.notNull())
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('count', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('run_days_key', ['label', 'day', 'tenant', 'source', 'status'])
      .modifyEnd(sql.raw(tableByKey)),
    countDays(db),
  ],
};

/** Benchmarks also use this, because they insert runs directly. */
export function countDays(db: Kysely<Schema>) {
  return db
    .insertInto('run_days')
    .columns(['label', 'day', 'tenant', 'source', 'status', 'count'])
    .expression((eb) =>
      eb
        .selectFrom('run_hours')
        .select((of) => [
          'label',
          sql<number>`hour - hour % ${sql.lit(dayMs)}`.as('day'),
          'tenant',
          'source',
          'status',
          of.fn.sum<number>('count').as('count'),
        ])
        .groupBy(['label', 'day', 'tenant', 'source', 'status']),
    );
}
