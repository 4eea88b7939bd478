// A run says who requested its cancel (ADR 0080).

import type { Migration } from './migration.ts';

export const whoCancelled: Migration = {
  name: '0043-who-cancelled',
  statements: ({ schema }) => [schema.alterTable('runs').addColumn('cancel_requested_by', 'text')],
};
