// Finds how two runs differ: in their arguments, their facts and the times of their steps.

import type { AnswerOf } from '../contract/operations.ts';
import { revisionWords } from './revision-words.ts';
import { spanWords, tookMs, workMs } from './took.ts';

type Run = AnswerOf<'getRun'>;
type Step = Run['steps'][number];

/** `a` and `b` are the values of the two runs. null: the run has no such value. */
export type Difference = { readonly name: string; readonly a: string | null; readonly b: string | null };

/** `isSecret`: both runs have a value, and neither shows it. */
export type ComparedArgument = Difference & { readonly isSecret: boolean };

/** What a run shows instead of a secret. */
const redacted = '[redacted]';

/** Returns all arguments of both runs, in the order of the second run. */
export function comparedArguments(a: Run, b: Run): readonly ComparedArgument[] {
  return compared(a.args, b.args).map((one) => ({ ...one, isSecret: one.a === redacted && one.b === redacted }));
}

export function haveSecrets(a: Run, b: Run): boolean {
  return comparedArguments(a, b).some(({ isSecret }) => isSecret);
}

/** Returns only the arguments that differ. */
export function differingArguments(a: Run, b: Run): readonly ComparedArgument[] {
  return comparedArguments(a, b).filter(differs);
}

export function differs({ a, b }: Difference): boolean {
  return a !== b;
}

/** @param statusWords how the status is shown, with the reason */
export function comparedFacts(a: Run, b: Run, statusWords: (run: Run) => string): readonly Difference[] {
  const fact = (name: string, of: (run: Run) => string | null): Difference => ({ name, a: of(a), b: of(b) });
  return [
    fact('Job', (run) => run.job_id),
    fact('Revision', (run) => revisionWords(run.source.revision)),
    fact('Source', (run) => run.source.name),
    fact('Status', statusWords),
    fact('Worked', workedWords),
    fact('By', (run) => run.created_by),
    fact('Profile', (run) => run.security.profile),
    ...compared(a.labels, b.labels).map((label) => ({ ...label, name: `Label ${label.name}` })),
  ];
}

function workedWords(run: Run): string | null {
  const ms = workMs(run);
  return ms === null ? null : spanWords(ms);
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

export type ComparedStep = {
  readonly stepId: string;
  readonly a: Step | null;
  readonly b: Step | null;
  /** The step ended differently in the two runs. */
  readonly isOther: boolean;
  readonly isSlower: boolean;
};

/** Returns all steps of both runs. Instances of a matrix come after their step. */
export function comparedSteps(a: Run, b: Run): readonly ComparedStep[] {
  const ids = new Set([...b.steps, ...a.steps].map((step) => step.step_id));
  return [...ids].map((stepId) => {
    const [was, is] = [stepOf(a, stepId), stepOf(b, stepId)];
    return { stepId, a: was, b: is, isOther: was?.status !== is?.status, isSlower: isSlower(was, is) };
  });
}

function stepOf({ steps }: Run, stepId: string): Step | null {
  return steps.find((step) => step.step_id === stepId) ?? null;
}

/** A step counts as slower if it took over a third longer and also over a second longer. */
const slowerShare = 1.35;
const slowerMs = 1_000;

function isSlower(was: Step | null, is: Step | null): boolean {
  const [before, now] = [was && tookMs(was), is && tookMs(is)];
  return before !== null && now !== null && now > before * slowerShare && now - before > slowerMs;
}
