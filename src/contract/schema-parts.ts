// The parts that the schemas of several operations share.

import { type TSchema, Type } from 'typebox';
import { runStatuses } from '../domain/run.ts';
import type { AnswerHeader } from './answer-headers.ts';

export const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Union([schema, Type.Null()]);
export const literals = <const T extends readonly string[]>(values: T) => Type.Enum<[...T]>([...values]);
export const timestamp = Type.String({ format: 'date-time' });
export const textOrNull = (description: string) => nullable(Type.String({ description }));
export const timeOrNull = (description: string) => nullable(Type.String({ format: 'date-time', description }));
export const anyObject = Type.Record(Type.String(), Type.Unknown());
export const labels = Type.Record(Type.String(), Type.String());

export const securityProfile = literals(['secure', 'permissive', 'disabled'] as const);
export const runStatus = literals(runStatuses);

/** Add this to a schema whose objects must have no other members. */
export const closed = { additionalProperties: false } as const;

type Fields = Parameters<typeof Type.Object>[0];

/** An object with a name of its own in the OpenAPI document. */
export const named = <const F extends Fields>($id: string, fields: F) => Type.Object(fields, { $id });

/** The body of a request: a named object that must have no other members. */
export const request = <const F extends Fields>($id: string, fields: F) => Type.Object(fields, { $id, ...closed });

export const queryOf = <const F extends Fields>(fields: F) => Type.Object(fields, closed);

export const text = (description: string) => Type.Optional(Type.String({ description, maxLength: 1024 }));
export const limit = (maximum: number, description: string) =>
  Type.Optional(Type.Integer({ minimum: 1, maximum, description }));
export const instant = (description: string) => Type.Optional(Type.String({ format: 'date-time', description }));
export const oneOf = <const T extends readonly string[]>(values: T, description: string) =>
  Type.Optional(Type.Enum<[...T]>([...values], { description }));

export const cursor = text('The `next_cursor` of the previous page; it keeps its place when new entries are added');
const offset = Type.Optional(
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'How many entries to skip' }),
);
/** The query parameters of a list. `limitText` describes the parameter `limit` and its default. */
export const page = (limitText: string) => ({ limit: limit(1000, limitText), offset, cursor });

/** The schema of the reason why a schedule, webhook or trigger starts no runs. */
export const denial = (what: string, because: string) =>
  nullable(
    Type.Object(
      { type: Type.String(), detail: Type.String() },
      { description: `Why ${what}: ${because}. Null: nothing forbids it` },
    ),
  );

/** The request header of an operation that starts a run. */
export const idempotencyKey = {
  'Idempotency-Key':
    '1 to 255 printable ASCII characters. A second request with the same key and body within 24 hours gets the first answer again',
};

/** @param headers the headers of this answer, besides those that every answer has */
export const json = <S extends TSchema>(
  status: number,
  schema: S,
  description: string,
  headers: readonly AnswerHeader[] = [],
) => ({
  status,
  description,
  content: { 'application/json': schema },
  headers,
});

/** The request header of an operation whose answers have an `ETag`. */
export const ifNoneMatch = { 'If-None-Match': 'An ETag; the answer is 304 if nothing has changed' };

/** The answer to a request with `If-None-Match` if nothing has changed. */
export const unchanged = (headers: readonly AnswerHeader[] = ['ETag']) => ({
  status: 304,
  description: 'Nothing has changed since the ETag in `If-None-Match`',
  content: {},
  headers,
});

/** The headers of the answer to a request that creates a run. */
export const createdHeaders = ['Location', 'Idempotent-Replay'] as const;

/** The request header with which a client resumes a stream. */
export const lastEventId = { 'Last-Event-ID': 'Resume the stream right after this id' };
