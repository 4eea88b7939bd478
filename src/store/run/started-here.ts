// Which steps of a run started in it. One that a rerun kept did not: it has the times of the earlier run.

import type { Expression, ExpressionBuilder, SqlBool } from 'kysely';
import type { Schema, StepRow } from '../schema.ts';

/** The start of an attempt is its first epoch. */
export function isStartedHere({ epoch }: Pick<StepRow, 'epoch'>): boolean {
  return epoch > 0;
}

export function whereStartedHere(eb: ExpressionBuilder<Schema, 'steps'>): Expression<SqlBool> {
  return eb('steps.epoch', '>', 0);
}
