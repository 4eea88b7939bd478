// The addresses that have taken a mail which the server refused for others.

import type { Migration } from './migration.ts';

export const mailRecipients: Migration = {
  name: '0032-mail-recipients',
  statements: ({ schema }) => [schema.alterTable('notices').addColumn('taken_by', 'text')],
};
