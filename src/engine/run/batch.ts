// A batch is what one event brings about: rows that are written in one transaction, and what starts once they are
// durable (ADR 0014).

import type { Run } from '../../domain/run.ts';
import type { Transaction } from '../../store/database.ts';
import type { Slot } from './slots.ts';

/** Another process owns the attempt or the run: this one must not touch it. */
export class Superseded extends Error {}

/** @throws Superseded */
export function must(isDone: boolean): void {
  if (!isDone) throw new Superseded('the attempt is another’s by now');
}

type Change = (tx: Transaction) => Promise<void>;

export type Batch = {
  readonly changes: Change[];
  /** Called in order once the changes are durable. */
  readonly after: (() => void)[];
  /** For the processes that `after` starts. */
  readonly slots: Slot[];
  /** For the first process that needs one. */
  spare: Slot | undefined;
  result: Run['result'];
};

export function newBatch(spare?: Slot): Batch {
  return { changes: [], after: [], slots: [], spare, result: null };
}

/** @throws Superseded */
export async function applyBatch(tx: Transaction, { changes }: Batch): Promise<void> {
  for (const change of changes) await change(tx);
}

/** The batch is durable. */
export function carryOn({ after }: Batch): void {
  for (const act of after) act();
}

/** The batch was not written, or the run has ended meanwhile: nothing of the batch starts. */
export function giveUpBatch({ slots, spare }: Batch): void {
  for (const slot of slots) slot.release();
  spare?.release();
}
