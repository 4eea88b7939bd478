// Owners are the servers that drive runs. Each has a row with its lease (ADR 0039). A server without a row has no
// lease.

import type { Expression, ExpressionBuilder, SqlBool } from 'kysely';
import type { Database, Transaction } from '../database.ts';
import { prepareQuery } from '../prepared-query.ts';
import type { OwnerRow, Schema } from '../schema.ts';
import { type RunClaim, setWaiting } from './run-moves.ts';
import { resumeSteps } from './step-moves.ts';

export type OwnerStore = ReturnType<typeof createOwnerStore>;

const selectOthers = prepareQuery((db, { id }: { id: string }) =>
  db.selectFrom('owners').selectAll().where('id', '!=', id),
);

export function createOwnerStore({ read }: Database) {
  return {
    /** Gives the owner a new lease. Returns false if it had no lease before. */
    async renew(tx: Transaction, { id, ...lease }: OwnerRow): Promise<boolean> {
      const row = await tx.db.updateTable('owners').set(lease).where('id', '=', id).returning('id').executeTakeFirst();
      if (row) return true;
      await tx.db
        .insertInto('owners')
        .values({ id, ...lease })
        .execute();
      return false;
    },
    /** Ends a lease. Returns false if the owner has renewed it in the meantime. */
    async expire(tx: Transaction, { id, lease }: Pick<OwnerRow, 'id' | 'lease'>): Promise<boolean> {
      const row = await tx.db
        .deleteFrom('owners')
        .where('id', '=', id)
        .where('lease', '=', lease)
        .returning('id')
        .executeTakeFirst();
      return row !== undefined;
    },
    /** Returns all other owners that have a lease. */
    others: (id: string): Promise<readonly OwnerRow[]> => selectOthers(read, { id }),
    /** Returns which of these runs another owner has taken over. */
    async taken(id: string, runIds: readonly string[]): Promise<readonly string[]> {
      if (runIds.length === 0) return [];
      const rows = await read
        .selectFrom('runs')
        .select('id')
        .where('id', 'in', runIds)
        .where('owner', '!=', id)
        .execute();
      return rows.map((row) => row.id);
    },
  };
}

/** The condition that this owner may drive the run. The run must be its own, or the run's owner must have no lease. */
export function isFreeFor(eb: ExpressionBuilder<Schema, 'runs'>, owner: string): Expression<SqlBool> {
  const lease = eb.selectFrom('owners').select('owners.id').whereRef('owners.id', '=', 'runs.owner');
  return eb.or([eb('owner', '=', owner), eb('owner', 'is', null), eb.not(eb.exists(lease))]);
}

const updateTaken = prepareQuery((db, values: Pick<RunClaim, 'owner' | 'worker'> & { id: string; epoch: number }) =>
  db
    .updateTable('runs')
    .set((eb) => ({
      owner: values.owner,
      worker: values.worker,
      epoch: eb('epoch', '+', 1),
      version: eb('version', '+', 1),
    }))
    .where('id', '=', values.id)
    .where('status', '=', 'running')
    .where('epoch', '=', values.epoch)
    .where((eb) => isFreeFor(eb, values.owner))
    .returning('id'),
);

/**
 * Takes over a running run, and begins its next epoch. Returns false if the run has ended or another owner drives it.
 */
export async function takeRun(
  tx: Transaction,
  id: string,
  by: Pick<RunClaim, 'owner' | 'worker'> & { readonly epoch: number },
): Promise<boolean> {
  const [run] = await updateTaken(tx.db, { id, ...by });
  if (!run) return false;
  await resumeSteps(tx, id, by.worker);
  // The former process may have marked the run as waiting for the disk.
  await setWaiting(tx, id, null, by.epoch + 1);
  return true;
}
