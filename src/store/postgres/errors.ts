// What an error of PostgreSQL or of the connection to it means
// (https://www.postgresql.org/docs/current/errcodes-appendix.html).

import { DatabaseError } from 'pg';
import { DatabaseFailure } from '../database.ts';

/** Connections, resources, operator's intervention (not 57014, a query that was cancelled), the server's own system. */
const unavailable = /^(?:08|53|57P|58)|^25006$/;
const damaged = /^XX00[12]$/;
const conflicts = ['40001', '40P01'];
/** What `pg` says without a code when it has no connection. */
const noConnection = /^(?:Connection terminated|Client has encountered a connection error|timeout exceeded)/;

/** Whatever the reason is why there is no connection. */
export function unreachable(error: unknown): DatabaseFailure {
  const words = error instanceof Error && error.message !== '' ? error.message : 'the database cannot be reached';
  return new DatabaseFailure(words, { isDamage: false, cause: error });
}

/** A DatabaseFailure where the database cannot do its work, else the error as it is. */
export function toDatabaseFailure(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof DatabaseFailure) return error;
  if (error instanceof DatabaseError) {
    const { code = '' } = error;
    if (damaged.test(code)) return new DatabaseFailure(error.message, { isDamage: true, cause: error });
    if (!unavailable.test(code)) return error;
  } else if (!('syscall' in error) && !noConnection.test(error.message)) return error;
  return unreachable(error);
}

/** The transaction was rolled back because of another one, and may succeed when it is run again. */
export function isConflict(error: unknown): boolean {
  return error instanceof DatabaseError && conflicts.includes(error.code ?? '');
}
