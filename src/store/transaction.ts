// Collects the events and audit entries of one transaction until they are numbered and written by the commit.

import type { Kysely } from 'kysely';
import { isOutput, type NewEvent, type NewOutput } from '../domain/event.ts';
import { invariant } from '../domain/problem.ts';
import type { Clock } from '../lib/clock.ts';
import type { Audited } from './audit/audit-chain.ts';
import type { Transaction } from './database.ts';
import type { Schema } from './schema.ts';

export type Emitted = { readonly event: NewEvent | NewOutput; readonly atMs: number };

export type OpenTransaction = {
  readonly tx: Transaction;
  readonly emitted: readonly Emitted[];
  readonly audited: readonly Audited[];
  /** Ends the collection. It is a bug to call `emit` or `record` afterwards, because the entry would be lost. */
  readonly end: () => void;
};

export function openTransaction(db: Kysely<Schema>, clock: Clock): OpenTransaction {
  const emitted: Emitted[] = [];
  const audited: Audited[] = [];
  let isOpen = true;
  return {
    tx: {
      db,
      emit(event) {
        invariant(isOpen, 'an event belongs to a transaction that is open');
        invariant(!isOutput(event) || event.lineCount > 0, 'output is announced by the line');
        emitted.push({ event, atMs: clock.now() });
      },
      record(entry) {
        invariant(isOpen, 'an audit entry belongs to a transaction that is open');
        audited.push({ entry, atMs: clock.now() });
      },
    },
    emitted,
    audited,
    end() {
      isOpen = false;
    },
  };
}
