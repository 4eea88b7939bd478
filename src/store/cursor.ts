// Cursors. A cursor is an opaque text that says where a page ended.

import { type Problem, validationError } from '../domain/problem.ts';

/** The place of a row in a list that has the newest row first. */
export type Position = { readonly createdAtMs: number; readonly id: string };

export function toCursor({ createdAtMs, id }: Position): string {
  return Buffer.from(`${createdAtMs} ${id}`).toString('base64url');
}

/** @throws Problem validation-error */
export function parseCursor(cursor: string): Position {
  const match = /^(\d{1,15}) ([\w-]{1,64})$/.exec(Buffer.from(cursor, 'base64url').toString());
  const [, createdAt, id] = match ?? [];
  if (createdAt === undefined || id === undefined) {
    throw cursorError();
  }
  return { createdAtMs: Number(createdAt), id };
}

export function cursorError(message = 'is not a cursor of this list'): Problem {
  return validationError([{ pointer: '?cursor', message, keyword: 'cursor' }]);
}
