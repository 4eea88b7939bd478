// Speeds up lists of approvals, and lists of runs by creator, by trigger or without sub-runs.

import { type Kysely, sql } from 'kysely';
import type { Schema } from '../schema.ts';
import type { Migration } from './migration.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

export const listsOfRuns: Migration = {
  name: '0020-lists-of-runs',
  statements: (db) => [
    db.schema.createIndex('runs_by_creator').on('runs').columns(['created_by', 'created_at', 'id', 'tenant']),
    db.schema.createIndex('runs_by_trigger').on('runs').columns(['trigger', 'created_at', 'id', 'tenant']),
    db.schema
      .createIndex('steps_asking')
      .on('steps')
      .columns(['started_at', 'run_id'])
      .where(sql<boolean>`status = 'waiting_approval'`),
    db.schema
      .createIndex('steps_answered')
      .on('steps')
      .columns(['finished_at', 'run_id'])
      .where(sql<boolean>`kind = 'approval' and finished_at is not null`),
    ...labelSubRuns(db),
  ],
};

/** Gives each sub-run a special label in the tables of labels, so that the counters also count sub-runs. */
function labelSubRuns(db: Kysely<Schema>) {
  const label = sql.lit('@sub-run');
  const ended = db
    .selectFrom('run_labels')
    .where('key', '=', label)
    .where('status', 'is not', null)
    .select((eb) => [eb.ref('status').$notNull().as('status'), 'tenant', 'source'])
    .select((eb) => eb.fn.countAll<number>().as('count'));
  const times = [sql<string>`key`, sql<string>`key || '='`].flatMap((text) => [
    db
      .insertInto('run_hours')
      .columns(['status', 'tenant', 'source', 'count', 'label', 'hour'])
      .expression(
        ended
          .select([text.as('label'), sql<number>`created_at - created_at % ${sql.lit(hourMs)}`.as('hour')])
          .groupBy(['label', 'hour', 'tenant', 'source', 'status']),
      ),
    db
      .insertInto('run_days')
      .columns(['status', 'tenant', 'source', 'count', 'label', 'day'])
      .expression(
        ended
          .select([text.as('label'), sql<number>`created_at - created_at % ${sql.lit(dayMs)}`.as('day')])
          .groupBy(['label', 'day', 'tenant', 'source', 'status']),
      ),
    db
      .insertInto('run_label_counts')
      .columns(['status', 'tenant', 'source', 'count', 'label', 'job_id'])
      .expression(
        ended.select([text.as('label'), 'job_id']).groupBy(['label', 'tenant', 'job_id', 'source', 'status']),
      ),
  ]);
  return [
    db
      .insertInto('run_labels')
      .columns(['run_id', 'key', 'value', 'created_at', 'tenant', 'job_id', 'source', 'status'])
      .expression((eb) =>
        eb
          .selectFrom('runs')
          .select(['id', label.as('key'), sql.lit('').as('value'), 'created_at', 'tenant', 'job_id', 'source'])
          .select(
            sql<'failed' | null>`case when status in ('pending', 'running') then null else status end`.as('status'),
          )
          .where('trigger', '=', 'job'),
      ),
    ...times,
  ];
}
