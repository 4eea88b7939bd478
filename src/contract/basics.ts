// What the shapes of the API are made of, more than one of them each.

import { Type } from 'typebox';
import { runStatuses } from '../domain/run.ts';

export const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Union([schema, Type.Null()]);
export const literals = <const T extends readonly string[]>(values: T) => Type.Enum<[...T]>([...values]);
export const timestamp = Type.String({ format: 'date-time' });
export const anyObject = Type.Record(Type.String(), Type.Unknown());
export const labels = Type.Record(Type.String(), Type.String());

export const securityProfile = literals(['secure', 'permissive', 'disabled'] as const);
export const runStatus = literals(runStatuses);
