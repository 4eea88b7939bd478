// The limits of tokens, and the limits of the callers who made schedules and webhooks.

import type { Migration } from './migration.ts';

export const limitedTokens: Migration = {
  name: '0033-limited-tokens',
  statements: ({ schema }) => [
    schema.alterTable('tokens').addColumn('limits', 'text'),
    schema.alterTable('schedules').addColumn('bound_to', 'text'),
    schema.alterTable('webhooks').addColumn('bound_to', 'text'),
  ],
};
