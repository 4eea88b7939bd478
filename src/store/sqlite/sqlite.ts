// Connects to SQLite with `node:sqlite`, sets its pragmas, and puts Kysely on top of a connection.

import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import {
  type CompiledQuery,
  type DatabaseConnection,
  DefaultQueryExecutor,
  type Driver,
  Kysely,
  type QueryResult,
  SqliteDialect,
  type SqliteStatement,
} from 'kysely';
import { StartError } from '../../lib/start-error.ts';
import type { ColumnTypes } from '../migrations/migration.ts';
import type { Schema } from '../schema.ts';
import { damageIn, toDatabaseFailure } from './sqlite-files.ts';

/**
 * How many prepared statements a connection keeps. This is enough for all statements of the store and some variants of
 * list filters.
 */
const mostStatements = 256;
export const columnTypes: ColumnTypes = {
  engine: 'sqlite',
  growingId: 'integer',
  bytes: 'blob',
  tableByKey: 'without rowid',
};
export const busyTimeoutMs = 5_000;
/** The size of each connection's cache. The newest runs fit in it, and the system caches the rest. */
const cacheKib = 4_000;

/** @throws StartError, before anything is written, if the database belongs to another program */
export function connectToWrite(path: string): DatabaseSync {
  // Sets the mode of the database file, because SQLite creates the WAL files with the same mode.
  closeSync(openSync(path, 'a', 0o600));
  const connection = new DatabaseSync(path, { timeout: busyTimeoutMs });
  try {
    assertNotForeign(connection, path);
    // auto_vacuum works only if it is set before the first write, and the switch to WAL is a write.
    connection.exec(`
      PRAGMA auto_vacuum = INCREMENTAL;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      PRAGMA cache_size = -${cacheKib};
      PRAGMA temp_store = MEMORY;
      PRAGMA journal_size_limit = 67108864;
    `);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** @throws StartError if the database has tables, but no tables of flwd */
export function assertNotForeign(connection: DatabaseSync, path: string): void {
  if (hasTable(connection, 'runs')) return;
  if (!connection.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table'").get()) return;
  throw new StartError(
    `the database ${path} belongs to another program: it has tables, but no tables of flwd; ` +
      'name another file under persistence.db_path in flwd.yaml, or move this file away',
  );
}

export function hasTable(connection: DatabaseSync, name: string): boolean {
  return connection.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(name) !== undefined;
}

/** Requires that the writer is open, because a read-only connection cannot create the WAL files. */
export function connectToRead(path: string): DatabaseSync {
  const connection = new DatabaseSync(path, { timeout: busyTimeoutMs, readOnly: true });
  connection.exec(`PRAGMA cache_size = -${cacheKib}; PRAGMA temp_store = MEMORY;`);
  return connection;
}

/** Puts Kysely on top of a connection. The caller closes the connection. */
export function kyselyOver(connection: DatabaseSync, onDamage: OnDamage = () => undefined): Kysely<Schema> {
  const prepared = new Map<string, SqliteStatement>();
  const database = {
    prepare(sql: string): SqliteStatement {
      const known = prepared.get(sql);
      if (known) return known;
      const statement = prepare(connection, sql, onDamage);
      const [oldest] = prepared.keys();
      if (prepared.size >= mostStatements && oldest !== undefined) prepared.delete(oldest);
      prepared.set(sql, statement);
      return statement;
    },
    close() {
      prepared.clear();
    },
  };
  const dialect = new SqliteDialect({ database });
  const driver = dialect.createDriver();
  return new Kysely<Schema>({ config: { dialect }, dialect, driver, executor: new DirectExecutor(dialect, driver) });
}

/**
 * Runs queries directly. Kysely's own executor adds a mutex and a dozen promises to each query, for drivers that have
 * to wait. That would double the time of a query, and would be 15 % of the memory that a run allocates. Without the
 * mutex, Kysely's own transactions could interleave. flwd does not use them, because sqlite-writer.ts has its own
 * transactions.
 */
class DirectExecutor extends DefaultQueryExecutor {
  readonly #connection: Promise<DatabaseConnection>;

  constructor(dialect: SqliteDialect, driver: Driver) {
    const connection = driver.init().then(() => driver.acquireConnection());
    super(dialect.createQueryCompiler(), dialect.createAdapter(), {
      provideConnection: async (consumer) => consumer(await connection),
    });
    this.#connection = connection;
  }

  override async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    return (await this.#connection).executeQuery<R>(query);
  }
}

/** Called for each query that fails because the file is damaged. */
export type OnDamage = (words: string) => void;

function prepare(connection: DatabaseSync, sql: string, onDamage: OnDamage): SqliteStatement {
  function notice(error: unknown): unknown {
    const words = damageIn(error);
    if (words !== undefined) onDamage(words);
    return toDatabaseFailure(error);
  }
  function noticing<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw notice(error);
    }
  }
  const statement = noticing(() => connection.prepare(sql));
  return {
    reader: statement.columns().length > 0,
    all(parameters: readonly SQLInputValue[]) {
      return noticing(() => statement.all(...parameters));
    },
    run(parameters: readonly SQLInputValue[]) {
      return noticing(() => statement.run(...parameters));
    },
    *iterate(parameters: readonly SQLInputValue[]) {
      try {
        yield* statement.iterate(...parameters);
      } catch (error) {
        throw notice(error);
      }
    },
  };
}
