// Makes lists and totals of one tenant fast, with indexes that begin with the tenant and counters by tenant.

import type { Migration } from './migration.ts';

export const tenants: Migration = {
  name: '0009-tenants',
  statements: (db) => [
    db.schema.createIndex('runs_by_tenant_and_job').on('runs').columns(['tenant', 'job_id', 'created_at', 'id']),
    db.schema.createIndex('runs_by_tenant_and_status').on('runs').columns(['tenant', 'status', 'created_at', 'id']),

    db.schema.alterTable('run_labels').addColumn('tenant', 'text', (column) => column.notNull().defaultTo('')),
    db.updateTable('run_labels').set((eb) => ({
      tenant: eb
        .selectFrom('runs')
        .select('runs.tenant')
        .whereRef('runs.id', '=', 'run_labels.run_id')
        .$asScalar()
        .$notNull(),
    })),
    db.schema
      .createIndex('run_labels_by_tenant_and_key')
      .on('run_labels')
      .columns(['tenant', 'key', 'created_at', 'run_id']),
    db.schema
      .createIndex('run_labels_by_tenant_and_value')
      .on('run_labels')
      .columns(['tenant', 'key', 'value', 'created_at', 'run_id']),

    db.schema.createIndex('artifacts_by_tenant').on('artifacts').columns(['tenant', 'created_at', 'id']),
    db.schema
      .createIndex('artifacts_by_tenant_and_job')
      .on('artifacts')
      .columns(['tenant', 'job_id', 'created_at', 'id']),
    db.schema
      .createIndex('artifacts_by_tenant_and_name')
      .on('artifacts')
      .columns(['tenant', 'name', 'created_at', 'id']),
    db.schema
      .createIndex('artifacts_by_tenant_and_expiry')
      .on('artifacts')
      .columns(['tenant', 'expires_at', 'job_id'])
      .where('expires_at', 'is not', null),

    db.schema.dropTable('artifact_counts'),
    db.schema
      .createTable('artifact_counts')
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('job_id', 'text', (column) => column.notNull())
      .addColumn('count', 'bigint', (column) => column.notNull())
      .addColumn('size_bytes', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('artifact_counts_key', ['tenant', 'job_id']),
    db
      .insertInto('artifact_counts')
      .columns(['tenant', 'job_id', 'count', 'size_bytes'])
      .expression((eb) =>
        eb
          .selectFrom('artifacts')
          .select((of) => [
            'tenant',
            'job_id',
            of.fn.countAll<number>().as('count'),
            of.fn.sum<number>('size_bytes').as('size_bytes'),
          ])
          .groupBy(['tenant', 'job_id']),
      ),
  ],
};
