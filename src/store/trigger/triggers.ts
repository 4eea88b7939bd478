// Remembers how far the journal was searched for runs whose end starts another job (ADR 0069). Also stores the results
// of all triggers.

import type { RunStatus } from '../../domain/run.ts';
import { triggerFailing } from '../../domain/trigger/job-trigger.ts';
import type { Database, Transaction } from '../database.ts';
import { readSequence, setSequence } from '../journal-rows.ts';
import { prepareQuery } from '../prepared-query.ts';
import type { TriggerResultRow } from '../schema.ts';
import { createTriggerChains } from './trigger-chains.ts';

export type EndedJobRun = {
  readonly eventId: number;
  readonly runId: string;
  readonly jobId: string;
  readonly status: RunStatus;
};

/** How many results of each trigger are kept. */
const mostKept = 100;
/** How many events one query reads. The next query reads the others. */
const endedAtOnce = 200;
const cursorName = 'triggers';

export type TriggerStore = ReturnType<typeof createTriggerStore>;

const selectEnded = prepareQuery((db, { fromId, toId }: { fromId: number; toId: number }) =>
  db
    .selectFrom('events')
    .select(['id', 'run_id', 'job_id', 'data'])
    .where('id', '>=', fromId)
    .where('id', '<=', toId)
    .where('type', '=', 'run.finished')
    .orderBy('id')
    .limit(endedAtOnce),
);

export function createTriggerStore({ read, transact }: Database) {
  return {
    ...createTriggerChains(read),
    /** Returns the first event that has not been checked; undefined while there are no triggers. */
    cursor: (): Promise<number | undefined> => readSequence(read, cursorName),
    moveCursor: (tx: Transaction, toEventId: number): Promise<void> => setSequence(tx.db, cursorName, toEventId),

    /**
     * Must be called when an instance no longer has triggers. A trigger that is added later then ignores the runs that
     * ended before it was added.
     */
    dropCursor: async (tx: Transaction): Promise<void> => {
      await tx.db.deleteFrom('sequences').where('name', '=', cursorName).execute();
    },

    /** Returns the runs that ended in the events from `fromId` to `toId`, oldest first. Both ids are included. */
    async ended({ fromId, toId }: { readonly fromId: number; readonly toId: number }): Promise<readonly EndedJobRun[]> {
      const rows = await selectEnded(read, { fromId, toId });
      return rows.map(({ id, run_id: runId, job_id: jobId, data }) => ({
        eventId: id,
        runId,
        jobId,
        status: JSON.parse(data ?? '{}').status,
      }));
    },

    /**
     * Adds a result. If the trigger then has more than 100 results, removes the oldest. Returns false if the result
     * exists already.
     */
    add,

    /** Returns the triggers that cannot start anything at present. */
    async failing(): Promise<readonly string[]> {
      const rows = await read
        .selectFrom('trigger_results')
        .select('trigger_id')
        .where('key', '=', triggerFailing)
        .execute();
      return rows.map(({ trigger_id: id }) => id);
    },

    async remove(tx: Transaction, key: Pick<TriggerResultRow, 'trigger_id' | 'key'>): Promise<void> {
      await tx.db
        .deleteFrom('trigger_results')
        .where((eb) => eb.and(key))
        .execute();
    },

    /** Lists the results of a trigger, newest first. With the tenant `*`, lists those of every tenant. */
    results(triggerId: string, tenant: string, limit: number = mostKept): Promise<readonly TriggerResultRow[]> {
      let query = read
        .selectFrom('trigger_results')
        .selectAll()
        .where('trigger_id', '=', triggerId)
        .orderBy('at', 'desc')
        .limit(limit);
      if (tenant !== '*') query = query.where('tenant', '=', tenant);
      return query.execute();
    },

    /** @returns how many were removed, at most `limit` */
    async removeResults(beforeMs: number, limit: number): Promise<number> {
      const old = read
        .selectFrom('trigger_results')
        .select(['trigger_id', 'key'])
        .where('at', '<', beforeMs)
        .limit(limit)
        .$asTuple('trigger_id', 'key');
      const deleting = (tx: Transaction) =>
        tx.db
          .deleteFrom('trigger_results')
          .where((eb) => eb(eb.refTuple('trigger_id', 'key'), 'in', old))
          .executeTakeFirst();
      return Number((await transact(deleting)).numDeletedRows);
    },
  };
}

async function add(tx: Transaction, row: TriggerResultRow): Promise<boolean> {
  const added = await tx.db
    .insertInto('trigger_results')
    .values(row)
    .onConflict((conflict) => conflict.columns(['trigger_id', 'key']).doNothing())
    .returning('key')
    .executeTakeFirst();
  if (added === undefined) return false;
  const last = await tx.db
    .selectFrom('trigger_results')
    .select('at')
    .where('trigger_id', '=', row.trigger_id)
    .orderBy('at', 'desc')
    .limit(1)
    .offset(mostKept)
    .executeTakeFirst();
  if (last) {
    await tx.db
      .deleteFrom('trigger_results')
      .where('trigger_id', '=', row.trigger_id)
      .where('at', '<=', last.at)
      .where('key', '!=', row.key)
      .execute();
  }
  return true;
}
