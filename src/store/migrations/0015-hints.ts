// Steps that failed get a hint that says what to change.

import type { Migration } from './migration.ts';

export const hints: Migration = {
  name: '0015-hints',
  statements: ({ schema }) => [schema.alterTable('steps').addColumn('hint', 'text')],
};
