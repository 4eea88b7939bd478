// Converts entries of the journal to rows of `events` and back, and numbers them.

import type { Kysely } from 'kysely';
import { eventsOfLine, isOutput, type JournalEntry, type NewEvent, type NewOutput } from '../domain/event.ts';
import { prepareQuery } from './prepared-query.ts';
import type { EventRow, Schema, SequenceRow } from './schema.ts';

/** Numbers entries in their order. An entry of output takes one id for each event that it announces. */
export function numberEntries(
  emitted: readonly { readonly event: NewEvent | NewOutput; readonly atMs: number }[],
  firstId: number,
): JournalEntry[] {
  let id = firstId;
  return emitted.map(({ event, atMs }) => {
    const count = isOutput(event) ? event.lineCount * eventsOfLine[event.type].length : 1;
    const entry: JournalEntry = { ...event, id, count, atMs };
    id += count;
    return entry;
  });
}

const insertEvent = prepareQuery((db, row: EventRow) => db.insertInto('events').values(row));
const moveSequence = prepareQuery((db, { next_id }: { next_id: number }) =>
  db
    .insertInto('sequences')
    .values({ name: 'events', next_id })
    .onConflict((conflict) => conflict.column('name').doUpdateSet((eb) => ({ next_id: eb.ref('excluded.next_id') }))),
);

/** Inserts the entries of one commit, and sets the sequence to the next free id. */
export async function insertEntries(db: Kysely<Schema>, entries: readonly JournalEntry[]): Promise<void> {
  const last = entries.at(-1);
  if (!last) return;
  for (const entry of entries) await insertEvent(db, toRow(entry));
  await moveSequence(db, { next_id: last.id + last.count });
}

export async function readNextEventId(db: Kysely<Schema>): Promise<number> {
  return (await readSequence(db, 'events')) ?? 1;
}

export async function readSequence(db: Kysely<Schema>, name: SequenceRow['name']): Promise<number | undefined> {
  const row = await db.selectFrom('sequences').select('next_id').where('name', '=', name).executeTakeFirst();
  return row?.next_id;
}

export async function setSequence(db: Kysely<Schema>, name: SequenceRow['name'], nextId: number): Promise<void> {
  await db
    .insertInto('sequences')
    .values({ name, next_id: nextId })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ next_id: nextId }))
    .execute();
}

function toRow(entry: JournalEntry): EventRow {
  const { id, type, count } = entry;
  const about = { id, type, run_id: entry.runId, job_id: entry.jobId, tenant: entry.tenant, at: entry.atMs, count };
  return isOutput(entry)
    ? { ...about, data: null, first_seq: entry.firstSeq }
    : { ...about, data: JSON.stringify(entry.data), first_seq: null };
}

export function toEntry(row: EventRow): JournalEntry {
  const { id, type, count } = row;
  const about = { id, count, runId: row.run_id, jobId: row.job_id, tenant: row.tenant, atMs: row.at };
  if (type === 'run.output' || type === 'step.output')
    return { ...about, type, firstSeq: row.first_seq ?? 0, lineCount: count / eventsOfLine[type].length };
  return { ...about, type, data: JSON.parse(row.data ?? '{}') };
}
