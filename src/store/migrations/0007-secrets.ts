// Stored secrets, and indexes to find texts that are sealed with an older key.

import { sql } from 'kysely';
import type { Migration } from './migration.ts';

/** The name of the key: `v2.` and its id, or `v1` for a text that does not name its key. */
export const keyOfSealed = sql<string>`case when substr(sealed, 1, 3) = 'v2.' then substr(sealed, 1, 15) else 'v1' end`;

/**
 * PostgreSQL needs parentheses around an expression. The statements for SQLite must stay the same as when they were
 * released.
 */
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
    // This index is not partial. If a column is never null, SQLite drops the condition `is not null` from a query, and
    // then would not use a partial index.
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
