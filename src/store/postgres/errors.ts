// Interprets errors of PostgreSQL and of the connection to it
// (https://www.postgresql.org/docs/current/errcodes-appendix.html).

import { DatabaseError } from 'pg';
import { DatabaseFailure } from '../database.ts';

/**
 * Classes of SQLSTATE codes: connection, resources, operator intervention (but not 57014, a cancelled query), and
 * system errors.
 */
const unavailable = /^(?:08|53|57P|58)|^25006$/;
const damaged = /^XX00[12]$/;
const conflicts = ['40001', '40P01'];
/** Messages of `pg` about a lost connection. These errors have no code. */
const noConnection = /^(?:Connection terminated|Client has encountered a connection error|timeout exceeded)/;

/** Returns the error for a database that cannot be reached, for any reason. */
export function unreachable(error: unknown): DatabaseFailure {
  const words = error instanceof Error && error.message !== '' ? error.message : 'the database cannot be reached';
  return new DatabaseFailure(words, { isDamage: false, cause: error });
}

/**
 * Returns a DatabaseFailure if the error means that the database does not work at present. Returns any other error
 * unchanged.
 */
export function toDatabaseFailure(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof DatabaseFailure) return error;
  if (error instanceof DatabaseError) {
    const { code = '' } = error;
    if (damaged.test(code)) return new DatabaseFailure(error.message, { isDamage: true, cause: error });
    if (!unavailable.test(code)) return error;
  } else if (!('syscall' in error) && !noConnection.test(error.message)) return error;
  return unreachable(error);
}

/** Whether the transaction was rolled back because of another one. If so, it may succeed when it runs again. */
export function isConflict(error: unknown): boolean {
  return error instanceof DatabaseError && conflicts.includes(error.code ?? '');
}
