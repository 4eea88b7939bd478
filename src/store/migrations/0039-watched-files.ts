// The folders that triggers follow, and the files in them that were handled.

import type { Migration } from './migration.ts';

export const watchedFiles: Migration = {
  name: '0039-watched-files',
  statements: ({ schema }) => [
    schema
      .createTable('watched_folders')
      .addColumn('id', 'text', (column) => column.notNull().primaryKey())
      .addColumn('looked_at', 'bigint', (column) => column.notNull()),
    schema
      .createTable('watched_files')
      .addColumn('folder_id', 'text', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('stamp', 'text', (column) => column.notNull())
      .addColumn('gone_at', 'bigint')
      .addPrimaryKeyConstraint('watched_files_key', ['folder_id', 'name']),
    schema.createIndex('watched_files_by_age').on('watched_files').column('gone_at'),
  ],
};
