// What one migration is: statements, built for the engine they run on.

import type { Compilable, Kysely } from 'kysely';
import type { Schema } from '../schema.ts';

/** What an engine spells in its own way. */
export type ColumnTypes = {
  /** For what each engine has its own language for, as triggers. */
  readonly engine: 'sqlite' | 'postgres';
  /** A key of 64 bits. SQLite makes it the row's own address only under the name `integer`. */
  readonly growingId: 'integer' | 'bigint';
  /** What ends a table that is a list of its key and little more: SQLite then keeps it once, not beside an index. */
  readonly tableByKey: 'without rowid' | '';
};

export type Migration = {
  readonly name: string;
  readonly statements: (
    db: Kysely<Schema>,
    types: ColumnTypes,
  ) => readonly (Compilable & { readonly execute: () => Promise<unknown> })[];
};
