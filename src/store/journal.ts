// Reads the journal, which contains the events of runs in the order of their commits.

import { isOutput, type JournalEntry, outputTypes } from '../domain/event.ts';
import type { Database } from './database.ts';
import { toEntry } from './journal-rows.ts';

export type Journal = ReturnType<typeof createJournal>;

export function createJournal(database: Database) {
  const { read: db } = database;
  return {
    /** Returns the newest durable event id; 0 if there is no event yet. */
    latestId: database.latestEventId,
    /**
     * Returns the first id from which the journal has no gaps. If the journal is empty, this is the id that the next
     * event gets.
     */
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
     * Returns the entries with events after `afterId`, oldest first. The first entry may be an output entry that also
     * has events up to `afterId`. The reader must skip these.
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
        // The id ranges of entries do not overlap. So of the entries that start at or before `afterId`, only the last
        // can contain later ids.
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
    /** Returns the number of the last announced line of a run's log; 0 if no line was announced. */
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
