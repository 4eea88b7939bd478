// Artifacts whose step is unknown, and the files that a run left behind.

import { sql } from 'kysely';
import type { Migration } from './migration.ts';

export const whatARunLeaves: Migration = {
  name: '0012-what-a-run-leaves',
  statements: (db) => [
    // SQLite cannot drop a `not null`, so a new column replaces the old one.
    db.schema.alterTable('artifacts').renameColumn('step_id', 'known_step_id'),
    db.schema.alterTable('artifacts').addColumn('step_id', 'text'),
    db.updateTable('artifacts').set({ step_id: sql.ref('known_step_id') }),
    db.schema.alterTable('artifacts').dropColumn('known_step_id'),
    db.schema.alterTable('runs').addColumn('left_behind', 'text'),
  ],
};
