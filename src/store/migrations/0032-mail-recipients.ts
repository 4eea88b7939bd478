// The addresses that have received a mail which the mail server refused for other addresses.

import type { Migration } from './migration.ts';

export const mailRecipients: Migration = {
  name: '0032-mail-recipients',
  statements: ({ schema }) => [schema.alterTable('notices').addColumn('taken_by', 'text')],
};
