// Parts that many queries have in common.

import { type Expression, type SelectQueryBuilder, type SqlBool, sql } from 'kysely';
import type { Schema } from './schema.ts';

/**
 * Returns conditions for Kysely's `and`: each column must equal its value. A column whose value is undefined has no
 * condition.
 */
export function given<T extends object>(columns: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const known: { [K in keyof T]?: Exclude<T[K], undefined> } = {};
  return Object.assign(known, Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined)));
}

/** Returns how many rows the query finds. */
export async function countRows<Table extends keyof Schema>(
  query: SelectQueryBuilder<Schema, Table, object>,
): Promise<number> {
  const { count } = await query.select((eb) => eb.fn.countAll<number | string>().as('count')).executeTakeFirstOrThrow();
  return Number(count);
}

/** The condition that the column contains the id of a job in this namespace, or in a namespace below it. */
export function isWithin(column: string, namespace: string): Expression<SqlBool> {
  const text = `${namespace}/`;
  return sql<SqlBool>`substr(${sql.ref(column)}, 1, ${sql.lit(text.length)}) = ${text}`;
}
