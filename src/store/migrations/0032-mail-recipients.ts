// The addresses that a mail was delivered to, when the mail server refused it for others.

import type { Migration } from './migration.ts';

export const mailRecipients: Migration = {
  name: '0032-mail-recipients',
  statements: ({ schema }) => [schema.alterTable('notices').addColumn('taken_by', 'text')],
};
