// Says which of its steps a run has started itself. A rerun has not started the steps that it kept: their times belong
// to the earlier run.

import type { Expression, ExpressionBuilder, SqlBool } from 'kysely';
import { isWork } from '../../domain/job-times.ts';
import type { Schema, StepRow } from '../schema.ts';

/** Whether this run has started the attempt. The start of an attempt begins its first epoch. */
export function isStartedHere({ epoch }: Pick<StepRow, 'epoch'>): boolean {
  return epoch > 0;
}

export function whereStartedHere(eb: ExpressionBuilder<Schema, 'steps'>): Expression<SqlBool> {
  return eb('steps.epoch', '>', 0);
}

/** Whether an earlier run did the work of the step. A run that kept such steps took less time than a full run. */
export function isKeptWork(step: Pick<StepRow, 'epoch' | 'kind' | 'started_at'>): boolean {
  return isWork(step) && step.started_at !== null && !isStartedHere(step);
}
