// Times that are needed when the wall clock is set: the end of the time that a run may wait in the queue, and the time
// up to which a schedule may already have started runs.

import type { Migration } from './migration.ts';

export const clockSet: Migration = {
  name: '0013-clock-set',
  statements: (db) => [
    db.schema.alterTable('schedule_states').addColumn('fired_until', 'bigint'),
    db
      .updateTable('runs')
      .set((eb) => ({ deadline_at: eb('created_at', '+', eb.ref('queue_ms')) }))
      .where('status', '=', 'pending')
      .where('queue_ms', 'is not', null),
  ],
};
