// Parts that many queries share.

import type { SelectQueryBuilder } from 'kysely';
import type { Schema } from './schema.ts';

/** Conditions for Kysely's `and`: each column equals its value. Leaves out columns whose value is undefined. */
export function given<T extends object>(columns: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const known: { [K in keyof T]?: Exclude<T[K], undefined> } = {};
  return Object.assign(known, Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined)));
}

/** How many rows the query finds. */
export async function countRows<Table extends keyof Schema>(
  query: SelectQueryBuilder<Schema, Table, object>,
): Promise<number> {
  const { count } = await query.select((eb) => eb.fn.countAll<number | string>().as('count')).executeTakeFirstOrThrow();
  return Number(count);
}
