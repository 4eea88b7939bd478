// What the inputs and answers of the operations are made of.

import { type TSchema, Type } from 'typebox';

/** An unknown member is refused. */
export const closed = { additionalProperties: false } as const;

export const text = (description: string) => Type.Optional(Type.String({ description, maxLength: 1024 }));
export const limit = (maximum: number, description: string) =>
  Type.Optional(Type.Integer({ minimum: 1, maximum, description }));
export const instant = (description: string) => Type.Optional(Type.String({ format: 'date-time', description }));
export const oneOf = <const T extends readonly string[]>(values: T, description: string) =>
  Type.Optional(Type.Enum<[...T]>([...values], { description }));

export const cursor = text('`next_cursor` of the page before; stable while rows are added');
const offset = Type.Optional(
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'Rows to pass over' }),
);
/** A page of a list. `limitText` says what holds without a limit. */
export const page = (limitText: string) => ({ limit: limit(1000, limitText), offset, cursor });

export const json = <S extends TSchema>(status: number, schema: S, description: string) => ({
  status,
  description,
  content: { 'application/json': schema },
});
