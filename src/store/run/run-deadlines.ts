// Deadlines limit how long a run may wait in the queue, and how long a run or an attempt of a step may take. The reaper
// asks which of them have passed.

import type { Kysely, NotNull } from 'kysely';
import type { Transaction } from '../database.ts';
import type { Schema } from '../schema.ts';
import { isFreeFor } from './owners.ts';

/** How many runs one query reads. The next query reads the others. */
const mostOverdue = 500;

/** Returns pending runs that have waited in the queue for too long. */
export function overdueRuns(
  read: Kysely<Schema>,
  nowMs: number,
): Promise<readonly { readonly id: string; readonly queueMs: number }[]> {
  return read
    .selectFrom('runs')
    .select(['id', 'queue_ms as queueMs'])
    .where('status', '=', 'pending')
    .where('queue_ms', 'is not', null)
    .where('deadline_at', '<=', nowMs)
    .where('deadline_at', 'is not', null)
    .where('finished_at', 'is', null)
    .limit(mostOverdue)
    .$narrowType<{ queueMs: NotNull }>()
    .execute();
}

/** Returns running runs whose deadline has passed, and runs with an attempt whose deadline has passed. */
export async function runsPastDeadline(read: Kysely<Schema>, nowMs: number): Promise<readonly string[]> {
  const runs = await read
    .selectFrom('runs')
    .select('id')
    .where('deadline_at', '<=', nowMs)
    .where('deadline_at', 'is not', null)
    .where('finished_at', 'is', null)
    .where('status', '=', 'running')
    .limit(mostOverdue)
    .execute();
  const steps = await read
    .selectFrom('steps')
    .select('run_id as id')
    .where('deadline_at', '<=', nowMs)
    .where('deadline_at', 'is not', null)
    .where('finished_at', 'is', null)
    .limit(mostOverdue)
    .execute();
  return [...new Set([...runs, ...steps].map(({ id }) => id))];
}

/** Returns the first deadline after `nowMs` of a run or an attempt. */
export async function nextDeadline(read: Kysely<Schema>, nowMs: number): Promise<number | null> {
  const ofTable = (table: 'runs' | 'steps') =>
    read
      .selectFrom(table)
      .select((eb) => eb.fn.min<number | null>('deadline_at').as('at'))
      .where('deadline_at', '>', nowMs)
      .where('deadline_at', 'is not', null)
      .where('finished_at', 'is', null)
      .executeTakeFirstOrThrow();
  const found = [(await ofTable('runs')).at, (await ofTable('steps')).at].filter((at) => at !== null);
  return found.length === 0 ? null : Math.min(...found);
}

/**
 * Moves deadlines by `byMs`, because the wall clock was moved by the same amount. These are the deadlines of waiting
 * runs, of runs that the owner may drive, and of their steps.
 */
export async function moveDeadlines(tx: Transaction, byMs: number, owner: string): Promise<void> {
  await tx.db
    .updateTable('runs')
    .set((eb) => ({ deadline_at: eb('deadline_at', '+', byMs) }))
    .where('deadline_at', 'is not', null)
    .where('finished_at', 'is', null)
    .where((eb) => isFreeFor(eb, owner))
    .execute();
  await tx.db
    .updateTable('steps')
    .set((eb) => ({ deadline_at: eb('deadline_at', '+', byMs), not_before: eb('not_before', '+', byMs) }))
    .where('finished_at', 'is', null)
    .where('run_id', 'in', (eb) =>
      eb
        .selectFrom('runs')
        .select('id')
        .where('status', '=', 'running')
        .where((runs) => isFreeFor(runs, owner)),
    )
    .execute();
}
