// Finds and replaces all sealed texts in the database, to rotate the key.

import { type Kysely, sql } from 'kysely';
import type { Transaction } from './database.ts';
import { keyOfSealed, placesOfSealed } from './migrations/0007-secrets.ts';
import type { Schema } from './schema.ts';

export const sealedKinds = ['secrets', 'run_plans', 'steps'] as const;
export type SealedKind = (typeof sealedKinds)[number];

/** The primary key of the row that contains the text. */
type SealedPlace = readonly (string | number)[];
export type SealedText = { readonly place: SealedPlace; readonly sealed: string };

/**
 * Returns the next texts after the place `after`. With `key`, which is `v2.<id>` or `v1`, returns only texts that are
 * sealed with that key.
 */
export async function sealedTexts(
  db: Kysely<Schema>,
  kind: SealedKind,
  o: { readonly key?: string; readonly after: SealedPlace | undefined; readonly limit: number },
): Promise<SealedText[]> {
  const names = sql.join(placesOfSealed[kind].map((name) => sql.ref(name)));
  const afterPlace = o.after ? sql`and (${names}) > (${sql.join(o.after)})` : sql``;
  const ofKey = o.key === undefined ? sql`` : sql`and ${keyOfSealed} = ${o.key}`;
  const { rows } = await sql<Readonly<Record<string, string | number>>>`
    select sealed, ${names} from ${sql.table(kind)}
    where sealed is not null ${ofKey} ${afterPlace}
    order by ${names} limit ${o.limit}`.execute(db);
  return rows.map((row) => ({
    place: placesOfSealed[kind].map((name) => row[name] ?? ''),
    sealed: String(row.sealed),
  }));
}

/** Returns the sealed texts of runs that have not ended. */
export async function sealedOfUnfinished(
  db: Kysely<Schema>,
): Promise<{ readonly runId: string; readonly sealed: string }[]> {
  return db
    .selectFrom('runs')
    .innerJoin('run_plans', 'run_plans.run_id', 'runs.id')
    .select(['runs.id as runId', 'run_plans.sealed'])
    .where('runs.status', 'in', ['pending', 'running'])
    .where('run_plans.sealed', 'is not', null)
    .$narrowType<{ sealed: string }>()
    .execute();
}

export async function replaceSealed({ db }: Transaction, kind: SealedKind, text: SealedText): Promise<void> {
  const isThere = placesOfSealed[kind].map((name, at) => sql`${sql.ref(name)} = ${text.place[at]}`);
  await sql`update ${sql.table(kind)} set sealed = ${text.sealed} where ${sql.join(isThere, sql` and `)}`.execute(db);
}
