// SQLite as this program uses it: `node:sqlite` connections, their pragmas, and Kysely on top of one.

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
import type { ColumnTypes } from '../migrations/migration.ts';
import type { Schema } from '../schema.ts';
import { damageIn, toDatabaseFailure } from './sqlite-files.ts';

/** Statements kept prepared on a connection: more than the store has, and room for the shapes of a list's filters. */
const mostStatements = 256;
export const columnTypes: ColumnTypes = { engine: 'sqlite', growingId: 'integer', tableByKey: 'without rowid' };
export const busyTimeoutMs = 5_000;
/** Of each connection, and kept for good. The newest runs fit, and the rest is in the system's cache. */
const cacheKib = 4_000;

export function connectToWrite(path: string): DatabaseSync {
  // SQLite gives the WAL the mode of the database file, so this settles all three.
  closeSync(openSync(path, 'a', 0o600));
  const connection = new DatabaseSync(path, { timeout: busyTimeoutMs });
  try {
    // auto_vacuum holds only when it is set before anything is written, the switch to WAL included.
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

/** Needs a writer that is open: only that one can create the files of the WAL. */
export function connectToRead(path: string): DatabaseSync {
  const connection = new DatabaseSync(path, { timeout: busyTimeoutMs, readOnly: true });
  connection.exec(`PRAGMA cache_size = -${cacheKib}; PRAGMA temp_store = MEMORY;`);
  return connection;
}

/** The connection stays the caller's to close. */
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
 * Runs a query when it is asked to. Kysely's own executor leads each of them through a mutex and a dozen promises, for drivers that have
 * something to wait for: as long again as the query takes, and 15 % of what a run allocates. Without the mutex, Kysely's own transactions
 * would mix: those of this program are sqlite-writer.ts's.
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

/** Told of each query that finds the file damaged. */
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
