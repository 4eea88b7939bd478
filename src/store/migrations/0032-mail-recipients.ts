// The addresses that have already received a mail, if the mail server refused the mail for other addresses.

import type { Migration } from './migration.ts';

export const mailRecipients: Migration = {
  name: '0032-mail-recipients',
  statements: ({ schema }) => [schema.alterTable('notices').addColumn('taken_by', 'text')],
};
