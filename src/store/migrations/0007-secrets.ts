// Stored secrets, and indexes to find the texts that an older key has sealed.

import { sql } from 'kysely';
import type { Migration } from './migration.ts';

/** `v2.` and the id of the key, or `v1` for texts that do not name their key. */
export const keyOfSealed = sql<string>`case when substr(sealed, 1, 3) = 'v2.' then substr(sealed, 1, 15) else 'v1' end`;

/** PostgreSQL needs parentheses around an expression. SQLite's statements must stay as they were released. */
const indexed = { sqlite: keyOfSealed, postgres: sql<string>`(${keyOfSealed})` };

export const placesOfSealed = {
  secrets: ['tenant', 'name'],
  run_plans: ['run_id'],
  steps: ['run_id', 'step_id', 'attempt'],
} as const;

export const secrets: Migration = {
  name: '0007-secrets',
  statements: ({ schema }, { engine }) => [
    schema
      .createTable('secrets')
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('sealed', 'text', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('created_by', 'text', (column) => column.notNull())
      .addColumn('updated_at', 'bigint', (column) => column.notNull())
      .addColumn('updated_by', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('secrets_key', ['tenant', 'name']),
    // For a column that is never null, SQLite drops the condition `is not null` and would not use a partial index.
    schema
      .createIndex('secrets_by_key')
      .on('secrets')
      .expression(indexed[engine])
      .columns([...placesOfSealed.secrets]),
    ...(['run_plans', 'steps'] as const).map((table) =>
      schema
        .createIndex(`${table}_by_key`)
        .on(table)
        .expression(indexed[engine])
        .columns([...placesOfSealed[table]])
        .where(sql.ref('sealed'), 'is not', null),
    ),
  ],
};
