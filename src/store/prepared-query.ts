// Prepares queries that run often. A query is compiled once, and then runs each time with other values. Kysely takes
// longer to compile a query than SQLite takes to insert a row with many columns (measured: ADR 0002).

import type { Compilable, CompiledQuery, Kysely } from 'kysely';
import type { Schema } from './schema.ts';

type Values = Readonly<Record<string, string | number | null>>;

/**
 * Prepares a query. `build` gets placeholders and not the values, so the query cannot depend on a value: it must not
 * use `in` with a list. The values of every call must have the same members.
 */
export function prepareQuery<V extends Values, Row>(
  build: (db: Kysely<Schema>, values: V) => Compilable<Row>,
): (db: Kysely<Schema>, values: V) => Promise<readonly Row[]> {
  const compiled = new WeakMap<object, CompiledQuery<Row>>();
  return async (db, values) => {
    const { adapter } = db.getExecutor();
    let query = compiled.get(adapter);
    if (!query) {
      query = build(db, slotsFor(values)).compile();
      compiled.set(adapter, query);
    }
    const parameters = query.parameters.map((parameter) =>
      parameter instanceof Slot ? values[parameter.name] : parameter,
    );
    const bound: CompiledQuery<Row> = { ...query, parameters };
    return (await db.executeQuery(bound)).rows;
  };
}

/**
 * Prepares a query whose values have optional members. It is compiled once for each set of members, and `build` may
 * depend on which members exist.
 */
export function prepareQueries<V extends Values, Row>(
  build: (db: Kysely<Schema>, values: V) => Compilable<Row>,
): (db: Kysely<Schema>, values: V) => Promise<readonly Row[]> {
  const prepared = new Map<string, ReturnType<typeof prepareQuery<V, Row>>>();
  return (db, values) => {
    const members = Object.keys(values).toSorted().join(' ');
    let query = prepared.get(members);
    if (!query) {
      query = prepareQuery(build);
      prepared.set(members, query);
    }
    return query(db, values);
  };
}

/** A placeholder for a value while a query is built. */
class Slot {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

function slotsFor<V extends Values>(values: V): V {
  const slots = Object.keys(values).map((name) => [name, new Slot(name)]);
  return Object.assign({}, values, Object.fromEntries(slots));
}
