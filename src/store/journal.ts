// Reads the journal: the events of runs, in the order of their commits.

import { isOutput, type JournalEntry, outputTypes } from '../domain/event.ts';
import type { Database } from './database.ts';
import { toEntry } from './journal-rows.ts';

export type Journal = ReturnType<typeof createJournal>;

export function createJournal(database: Database) {
  const { read: db } = database;
  return {
    /** The newest durable event id; 0 before the first. */
    latestId: database.latestEventId,
    /** The oldest id from which on no event is missing. If no event is left, one past the newest id. */
    async oldestId(): Promise<number> {
      const oldest = await db.selectFrom('events').select('id').orderBy('id').limit(1).executeTakeFirst();
      const kept = await db
        .selectFrom('sequences')
        .select('next_id')
        .where('name', '=', 'events.kept')
        .executeTakeFirst();
      return Math.max(kept?.next_id ?? 0, oldest?.id ?? (await database.latestEventId()) + 1);
    },
    /**
     * Entries with an id after `afterId`, oldest first. The first may be an output entry that begins before it. Then
     * the reader skips the lines it knows.
     */
    async read(o: {
      readonly afterId: number;
      readonly runId?: string;
      readonly limit: number;
    }): Promise<JournalEntry[]> {
      const { afterId, runId, limit } = o;
      let query = db
        .selectFrom('events')
        .selectAll()
        // Id ranges are disjoint and growing, so the last entry that starts at or before `afterId` may contain it.
        .where('id', '>=', (eb) =>
          eb.fn.coalesce(
            eb
              .selectFrom('events')
              .select('id')
              .where('id', '<=', afterId)
              .orderBy('id', 'desc')
              .limit(1)
              .$asScalar()
              .$notNull(),
            eb.val(0),
          ),
        )
        .where((eb) => eb(eb('id', '+', eb.ref('count')), '>', afterId + 1))
        .orderBy('id')
        .limit(limit);
      if (runId !== undefined) query = query.where('run_id', '=', runId);
      const durable = await database.latestEventId();
      return (await query.execute()).filter(({ id }) => id <= durable).map(toEntry);
    },
    /** The last line of a run's log that was announced; 0 before the first. */
    async lastOutputSeq(runId: string): Promise<number> {
      const last = await db
        .selectFrom('events')
        .selectAll()
        .where('run_id', '=', runId)
        .where('type', 'in', outputTypes)
        .orderBy('id', 'desc')
        .limit(1)
        .executeTakeFirst();
      const entry = last && toEntry(last);
      return entry && isOutput(entry) ? entry.firstSeq + entry.lineCount - 1 : 0;
    },
  };
}
