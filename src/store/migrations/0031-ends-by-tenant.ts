// An index of a tenant's runs in the order of their ends, for searches of their logs.

import { sql } from 'kysely';
import type { Migration } from './migration.ts';

export const endsByTenant: Migration = {
  name: '0031-ends-by-tenant',
  statements: ({ schema }) => [
    schema
      .createIndex('runs_by_tenant_and_end')
      .on('runs')
      .columns(['tenant', 'finished_at', 'id'])
      .where(sql.ref('finished_at'), 'is not', null),
  ],
};
