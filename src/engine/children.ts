// Sub-runs: started for a step in the transaction that names them in its row, so that there is never none, or two; awaited
// by the journal; cancelled with their parent.

import { type ExpressionScope, evaluateArguments } from '../catalog/expression.ts';
import { ExpressionError } from '../catalog/expression-error.ts';
import type { JsonObject, StepAction } from '../domain/job.ts';
import { Problem } from '../domain/problem.ts';
import { isFinished, type Run } from '../domain/run.ts';
import type { Store } from '../store/open.ts';
import type { Outcome } from './attempt.ts';
import type { Hub } from './hub.ts';
import { outputsOfResult, type RunFacts } from './step-values.ts';

/** The step, at the attempt and epoch that ask for the sub-run. */
type ParentPlace = {
  readonly runId: string;
  readonly stepId: string;
  readonly attempt: number;
  readonly epoch: number;
};

export type Children = {
  /** @throws Problem what stands in the way of the sub-run; Superseded */
  readonly start: (o: {
    readonly run: RunFacts;
    readonly at: ParentPlace;
    readonly action: Extract<StepAction, { kind: 'job' }>;
    readonly scope: ExpressionScope;
  }) => Promise<string>;
  readonly cancel: (runId: string) => void;
  /** How the sub-run ended, as its step's end. Rejects when `signal` does. */
  readonly end: (runId: string, signal: AbortSignal) => Promise<Outcome>;
};

/** A chain of sub-runs is no longer than this. */
export const deepestSubRun = 8;

/** Resolves with the run once it has ended. */
export async function untilEnded(
  runId: string,
  o: { readonly store: Pick<Store, 'runs'>; readonly hub: Hub; readonly signal: AbortSignal },
): Promise<Run> {
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  const unsubscribe = o.hub.onEvents((entries) => {
    if (entries.some((entry) => entry.type === 'run.finished' && entry.runId === runId)) resolve();
  });
  const stop = (): void => reject(o.signal.reason);
  o.signal.addEventListener('abort', stop, { once: true });
  try {
    const now = await o.store.runs.get(runId);
    if (now && isFinished(now.status)) return now;
    await ended;
    const run = await o.store.runs.get(runId);
    if (!run) throw new Error(`the sub-run ${runId} is gone`);
    return run;
  } finally {
    unsubscribe();
    o.signal.removeEventListener('abort', stop);
  }
}

/** @throws Problem validation-error, which reads as why the step failed */
export function argumentsOfStep(args: JsonObject, scope: ExpressionScope): JsonObject {
  try {
    return evaluateArguments(args, scope);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    throw new Problem('validation-error', `\`args\`: ${error.message}`);
  }
}

export function outcomeOfChild(run: Run): Outcome {
  const outputs = run.status === 'success' ? outputsOfResult(run.result) : {};
  const given = { exitCode: run.exit_code, result: null, outputs, openOutputs: outputs, termination: null };
  if (run.status === 'success') return { ...given, status: 'success', reason: null, message: null };
  const what = run.status === 'cancelled' ? 'was cancelled' : `failed: ${run.error?.message ?? run.reason}`;
  const message = `${run.run_id} of ${run.job_id} ${what}`;
  return { ...given, status: 'failed', reason: run.reason ?? 'upstream_failed', message };
}
