// How two runs differ: their arguments, their facts and the times of their steps.

import type { Run, Step } from '../words.ts';

/** null: this run has no such value. */
export type Difference = { readonly name: string; readonly a: string | null; readonly b: string | null };

/** Every argument of either run, in the order of the second one. */
export function comparedArguments(a: Run, b: Run): readonly Difference[] {
  return compared(a.args, b.args);
}

/** Only the arguments that differ. */
export function differingArguments(a: Run, b: Run): readonly Difference[] {
  return comparedArguments(a, b).filter(differs);
}

export function differs({ a, b }: Difference): boolean {
  return a !== b;
}

export function comparedLabels(a: Run, b: Run): readonly Difference[] {
  return compared(a.labels, b.labels);
}

function compared(a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): readonly Difference[] {
  const names = new Set([...Object.keys(b), ...Object.keys(a)]);
  return [...names].map((name) => ({ name, a: valueText(a, name), b: valueText(b, name) }));
}

function valueText(values: Readonly<Record<string, unknown>>, name: string): string | null {
  const value = Object.hasOwn(values, name) ? values[name] : undefined;
  if (value === undefined) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export type ComparedStep = { readonly stepId: string; readonly a: Step | null; readonly b: Step | null };

/** The steps of either run. Instances of a matrix follow their step. */
export function comparedSteps(a: Run, b: Run): readonly ComparedStep[] {
  const ids = new Set([...b.steps, ...a.steps].map((step) => step.step_id));
  return [...ids].map((stepId) => ({ stepId, a: stepOf(a, stepId), b: stepOf(b, stepId) }));
}

function stepOf({ steps }: Run, stepId: string): Step | null {
  return steps.find((step) => step.step_id === stepId) ?? null;
}
