// The instances of a step with `matrix` or `foreach`: their ids and their values.

import { ExpressionError } from '../../catalog/expression/expression-error.ts';
import type { JsonValue, StepDefinition } from '../../domain/job.ts';

export type Item =
  | { readonly matrix: Readonly<Record<string, string | number | boolean>> }
  | { readonly item: JsonValue };

export type InstanceItem = { readonly stepId: string; readonly item: Item };

const mostInstances = 500;

/** Every combination; the last variable changes first. The job file was checked to have at most 500. */
export function matrixInstances(stepId: string, matrix: NonNullable<StepDefinition['matrix']>): InstanceItem[] {
  let combinations: Record<string, string | number | boolean>[] = [{}];
  for (const [name, values] of Object.entries(matrix)) {
    combinations = combinations.flatMap((one) => values.map((value) => ({ ...one, [name]: value })));
  }
  return combinations.map((combination) => {
    const words = Object.entries(combination).map(([name, value]) => `${name}=${value}`);
    return { stepId: `${stepId}[${words.join(',')}]`, item: { matrix: combination } };
  });
}

/** @throws ExpressionError when there are too many */
export function foreachInstances(stepId: string, items: readonly JsonValue[]): InstanceItem[] {
  if (items.length > mostInstances) {
    throw new ExpressionError(`it gives ${items.length} items; ${mostInstances} are allowed`);
  }
  return items.map((item, at) => ({ stepId: `${stepId}[${at}]`, item: { item } }));
}
