// Connects to PostgreSQL with pools of `pg` connections, and puts Kysely on top of a pool.

import {
  type DataTypeNode,
  Kysely,
  type OperatorNode,
  type PostgresClient,
  PostgresDialect,
  PostgresQueryCompiler,
} from 'kysely';
import { Pool, types } from 'pg';
import type { ColumnTypes } from '../migrations/migration.ts';
import type { Schema } from '../schema.ts';
import { toDatabaseFailure, unreachable } from './errors.ts';

export const columnTypes: ColumnTypes = { engine: 'postgres', growingId: 'bigint', bytes: 'bytea', tableByKey: '' };

/** JIT compilation is off, because it would take longer than any query of the store. */
const settings = { readWrite: '-c jit=off', readOnly: '-c jit=off -c default_transaction_read_only=on' } as const;

export function connect(url: string, o: { readonly mode: keyof typeof settings; readonly most: number }) {
  const pool = new Pool({
    connectionString: url,
    max: o.most,
    options: settings[o.mode],
    types: {
      getTypeParser: (oid, format) => (oid === types.builtins.INT8 ? toSafeInteger : types.getTypeParser(oid, format)),
    },
  });
  // An idle connection that breaks also emits an error. Without these listeners, the error would end the process.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return new Kysely<Schema>({
    dialect: new SameAsSqlite({
      pool: {
        options: pool.options,
        end: () => pool.end(),
        async connect() {
          const client = await pool.connect().catch((error: unknown) => {
            throw unreachable(error);
          });
          const query: (sql: string, parameters: unknown[]) => Promise<unknown> = (sql, parameters) =>
            translating(() => client.query(sql, parameters));
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- lacks the overload for cursors, which is unused
          return { query: query as PostgresClient['query'], release: (destroy) => client.release(destroy) };
        },
      },
    }),
  });
}

/** Makes `text` and `like` work as in SQLite. */
class Compiler extends PostgresQueryCompiler {
  /**
   * Makes PostgreSQL compare texts byte by byte, whatever the locale of the database is. Cursors and pages rely on that
   * order.
   */
  protected override visitDataType(node: DataTypeNode): void {
    if (node.dataType === 'text') this.append('text collate "C"');
    else super.visitDataType(node);
  }

  /** With the collation "C", `ilike` ignores the case of ASCII letters only. */
  protected override visitOperator(node: OperatorNode): void {
    if (node.operator === 'like') this.append('ilike');
    else super.visitOperator(node);
  }
}

class SameAsSqlite extends PostgresDialect {
  override createQueryCompiler(): PostgresQueryCompiler {
    return new Compiler();
  }
}

async function translating<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toDatabaseFailure(error);
  }
}

/**
 * Parses a whole number. Times, sizes and ids are far below 2^53. A larger value is an error, because it would be
 * rounded.
 */
function toSafeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`the database answered ${text}, which is not a safe integer`);
  return value;
}
