// Counters of ended runs by hour and by day, and counters of their durations and waiting times. When retention removes
// runs, it does not subtract them.

import { type Kysely, sql } from 'kysely';
import type { RunStatus } from '../../domain/run.ts';
import type { Schema } from '../schema.ts';
import type { Migration } from './migration.ts';

const spans = { hour: 3_600_000, day: 86_400_000 } as const;

export const runStats: Migration = {
  name: '0018-run-stats',
  statements: (db, { tableByKey }) => [
    db.schema
      .createTable('run_stats')
      .addColumn('span', 'text', (column) => column.notNull())
      .addColumn('job_id', 'text', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('success', 'bigint', (column) => column.notNull())
      .addColumn('failed', 'bigint', (column) => column.notNull())
      .addColumn('cancelled', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('run_stats_key', ['span', 'job_id', 'at', 'tenant'])
      .modifyEnd(sql.raw(tableByKey)),
    db.schema
      .createTable('run_times')
      .addColumn('span', 'text', (column) => column.notNull())
      .addColumn('job_id', 'text', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('measure', 'text', (column) => column.notNull())
      .addColumn('bucket', 'integer', (column) => column.notNull())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('count', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('run_times_key', ['span', 'job_id', 'at', 'measure', 'bucket', 'tenant'])
      .modifyEnd(sql.raw(tableByKey)),
    ...countStats(db),
  ],
};

/** A benchmark also uses this, because it inserts runs directly. */
export function countStats(db: Kysely<Schema>) {
  return (['hour', 'day'] as const).flatMap((span) =>
    [true, false].flatMap((isOfJob) => [
      countRuns(db, span, isOfJob),
      countTimes(db, span, isOfJob, 'took'),
      countTimes(db, span, isOfJob, 'waited'),
    ]),
  );
}

const of = (status: RunStatus) => sql<number>`sum(case when status = ${sql.lit(status)} then 1 else 0 end)`;

function countRuns(db: Kysely<Schema>, span: keyof typeof spans, isOfJob: boolean) {
  return db
    .insertInto('run_stats')
    .columns(['span', 'job_id', 'at', 'tenant', 'success', 'failed', 'cancelled'])
    .expression(
      ended(db, span, isOfJob)
        .select(['tenant', of('success').as('success'), of('failed').as('failed'), of('cancelled').as('cancelled')])
        .groupBy([sql`2`, sql`3`, 'tenant']),
    );
}

function countTimes(db: Kysely<Schema>, span: keyof typeof spans, isOfJob: boolean, measure: 'took' | 'waited') {
  // The time that a run waits for an answer does not count as work.
  const asked = sql<number>`(select coalesce(sum(s.finished_at - s.started_at), 0) from steps as s
    where s.run_id = runs.id and s.kind = 'approval' and s.started_at is not null and s.finished_at is not null)`;
  const ms =
    measure === 'took' ? sql<number>`finished_at - started_at - ${asked}` : sql<number>`started_at - created_at`;
  return db
    .insertInto('run_times')
    .columns(['span', 'job_id', 'at', 'tenant', 'measure', 'bucket', 'count'])
    .expression(
      ended(db, span, isOfJob)
        .select((select) => [
          'tenant',
          sql<'took' | 'waited'>`${sql.lit(measure)}`.as('measure'),
          bucket(ms).as('bucket'),
          select.fn.countAll<number>().as('count'),
        ])
        .where('started_at', 'is not', null)
        .$if(measure === 'took', (query) => query.where('status', '=', 'success'))
        .groupBy([sql`2`, sql`3`, 'tenant', sql`6`]),
    );
}

/** Sub-runs count only for their own job. */
function ended(db: Kysely<Schema>, span: keyof typeof spans, isOfJob: boolean) {
  return db
    .selectFrom('runs')
    .select([
      sql<'hour' | 'day'>`${sql.lit(span)}`.as('span'),
      isOfJob ? 'job_id' : sql<string>`''`.as('job_id'),
      sql<number>`finished_at - finished_at % ${sql.lit(spans[span])}`.as('at'),
    ])
    .where('status', 'in', ['success', 'failed', 'cancelled'])
    .$if(!isOfJob, (query) => query.where('trigger', '!=', 'job'));
}

/** Computes the same bucket as domain/duration-buckets.ts. */
function bucket(ms: ReturnType<typeof sql<number>>) {
  return sql<number>`case when ${ms} < 1 then 0
    else cast(floor(ln(cast(${ms} as double precision)) / ln(cast(1.1 as double precision))) as integer) + 1 end`;
}
