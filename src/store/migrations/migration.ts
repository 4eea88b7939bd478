// A migration: statements, built for the database engine they run on.

import type { Compilable, Kysely } from 'kysely';
import type { Schema } from '../schema.ts';

/** How an engine spells the parts that differ. */
export type ColumnTypes = {
  /** For parts in the engine's own language, such as triggers. */
  readonly engine: 'sqlite' | 'postgres';
  /** A 64-bit key. SQLite uses it as the row id only if its type is called `integer`. */
  readonly growingId: 'integer' | 'bigint';
  readonly bytes: 'blob' | 'bytea';
  /** For tables with little more than their key: SQLite then stores the rows in the index itself. */
  readonly tableByKey: 'without rowid' | '';
};

export type Migration = {
  readonly name: string;
  readonly statements: (
    db: Kysely<Schema>,
    types: ColumnTypes,
  ) => readonly (Compilable & { readonly execute: () => Promise<unknown> })[];
};
