// Counts the runs that follow from one run through triggers, in a row of that run (ADR 0069).

import type { Kysely } from 'kysely';
import type { Transaction } from '../database.ts';
import { prepareQuery } from '../prepared-query.ts';
import type { Schema, TriggerChainRow } from '../schema.ts';

type Chain = Omit<TriggerChainRow, 'run_id'>;

const selectChain = prepareQuery((db, { firstRunId }: { firstRunId: string }) =>
  db.selectFrom('trigger_chains').select(['runs', 'refusals']).where('run_id', '=', firstRunId),
);

export function createTriggerChains(read: Kysely<Schema>) {
  return {
    /** Returns how many runs follow from the run through triggers, and how many such runs were refused. */
    async chain(firstRunId: string): Promise<Chain> {
      const [row] = await selectChain(read, { firstRunId });
      return row ?? { runs: 0, refusals: 0 };
    },
    addRunToChain: (tx: Transaction, firstRunId: string): Promise<void> =>
      add(tx, firstRunId, { runs: 1, refusals: 0 }),
    addRefusalToChain: (tx: Transaction, firstRunId: string): Promise<void> =>
      add(tx, firstRunId, { runs: 0, refusals: 1 }),
  };
}

/** Stores nothing if retention has removed the first run. */
async function add(tx: Transaction, firstRunId: string, { runs, refusals }: Chain): Promise<void> {
  await tx.db
    .insertInto('trigger_chains')
    .columns(['run_id', 'runs', 'refusals'])
    .expression((eb) =>
      eb
        .selectFrom('runs')
        .select(['id', eb.lit(runs).as('runs'), eb.lit(refusals).as('refusals')])
        .where('id', '=', firstRunId),
    )
    .onConflict((conflict) =>
      conflict.column('run_id').doUpdateSet((eb) => ({
        runs: eb('trigger_chains.runs', '+', runs),
        refusals: eb('trigger_chains.refusals', '+', refusals),
      })),
    )
    .execute();
}
