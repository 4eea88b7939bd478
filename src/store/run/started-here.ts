// Tells which steps of a run started in it. A step that a rerun kept did not: it has the times of the earlier run.

import type { Expression, ExpressionBuilder, SqlBool } from 'kysely';
import { isWork } from '../../domain/job-times.ts';
import type { Schema, StepRow } from '../schema.ts';

/** The start of an attempt is its first epoch. */
export function isStartedHere({ epoch }: Pick<StepRow, 'epoch'>): boolean {
  return epoch > 0;
}

export function whereStartedHere(eb: ExpressionBuilder<Schema, 'steps'>): Expression<SqlBool> {
  return eb('steps.epoch', '>', 0);
}

/** Whether a step is work of an earlier run. A run that kept such steps took less time than its job takes. */
export function isKeptWork(step: Pick<StepRow, 'epoch' | 'kind' | 'started_at'>): boolean {
  return isWork(step) && step.started_at !== null && !isStartedHere(step);
}
