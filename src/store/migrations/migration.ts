// A migration consists of statements, which are built for the database engine that they run on.

import type { Compilable, Kysely } from 'kysely';
import type { Schema } from '../schema.ts';

/** The parts in which database engines differ. */
export type ColumnTypes = {
  /** For statements in the language of one engine, such as triggers. */
  readonly engine: 'sqlite' | 'postgres';
  /** The type of a key with 64 bits. SQLite uses the column as its row id only if the type is `integer`. */
  readonly growingId: 'integer' | 'bigint';
  readonly bytes: 'blob' | 'bytea';
  /** For tables with few columns besides their key. SQLite then stores the rows in the index of the key. */
  readonly tableByKey: 'without rowid' | '';
};

export type Migration = {
  readonly name: string;
  readonly statements: (
    db: Kysely<Schema>,
    types: ColumnTypes,
  ) => readonly (Compilable & { readonly execute: () => Promise<unknown> })[];
};
