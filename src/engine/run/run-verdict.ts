// Decides how a run ends, from its steps, its artifacts and what interrupted it.

import type { RunError, RunReason, Termination } from '../../domain/run.ts';
import type { RunChange } from '../../store/run/runs.ts';
import type { Interruption } from './attempt/outcome.ts';
import type { ArtifactFailure } from './collect.ts';
import type { RunState } from './run-state.ts';

export function runVerdict(o: {
  readonly state: RunState;
  /** What ended the run early; undefined if it affected no step. */
  readonly aborted: Interruption | undefined;
  readonly artifactFailure: ArtifactFailure | null;
  readonly terminations: readonly Termination[];
}): { readonly move: 'succeed' | 'fail' | 'cancel'; readonly change: Omit<RunChange, 'atMs'> } {
  const { state, aborted, artifactFailure } = o;
  const termination = joinTerminations(o.terminations);
  const failure = state.failure();
  const fail = (reason: RunReason, error: RunError, exitCode: number | null) => {
    return { move: 'fail', change: { reason, exitCode, error, termination } } as const;
  };

  if (failure && failure.reason === 'lost') return ofStep(failure);
  if (aborted?.status === 'cancelled') return { move: 'cancel', change: { exitCode: state.exitCode(), termination } };
  if (failure) return ofStep(failure);
  if (aborted) return fail(toRunReason(aborted.reason), toError(aborted.message, aborted), null);
  if (artifactFailure) {
    const { reason, message, stepId } = artifactFailure;
    return fail(reason, toError(message, { stepId }), state.exitCode());
  }
  return { move: 'succeed', change: { exitCode: state.exitCode(), termination } };

  function ofStep(step: NonNullable<ReturnType<RunState['failure']>>) {
    const others = otherFailures(state, step.stepId);
    const error = { ...toError(step.message ?? 'it failed', step), ...(others && { other_failures: others }) };
    return fail(toRunReason(step.reason), error, step.exitCode);
  }
}

function toError(message: string, o: { readonly stepId?: string | null; readonly hint?: string }): RunError {
  const { stepId = null, hint } = o;
  return { message, ...(stepId !== null && { step_id: stepId }), ...(hint !== undefined && { hint }) };
}

/** Counts what else has failed: other instances of this step, and other steps. */
function otherFailures({ instances }: RunState, stepId: string): RunError['other_failures'] {
  const failed = instances.filter(({ status }) => status === 'failed');
  const named = failed.find((one) => one.stepId === stepId);
  const others = {
    instances: failed.filter((one) => one.index === named?.index && one.item !== null && one !== named).length,
    steps: failed.filter((one) => one.index !== named?.index && one.item === null).length,
  };
  return others.instances + others.steps > 0 ? others : undefined;
}

/** Only skipped steps have the reasons `condition` and `run_ended`; no step fails with them. */
function toRunReason(reason: Interruption['reason']): RunReason {
  return reason === null || reason === 'condition' || reason === 'run_ended' ? 'upstream_failed' : reason;
}

/** Joins what is known about the terminations of several attempts. */
export function joinTerminations(all: readonly Termination[]): Termination | null {
  const [first, ...others] = all;
  if (!first) return null;
  return others.reduce(
    (joined, one) => ({
      signals: [...joined.signals, ...one.signals],
      remaining: joined.remaining + one.remaining,
      proven: joined.proven !== false && one.proven !== false,
      finished_at: [joined.finished_at, one.finished_at].toSorted()[1] ?? one.finished_at,
    }),
    first,
  );
}
