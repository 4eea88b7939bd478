// The ids of a run's trace and its spans. They are computed from the run's id, so they are the same after a crash (ADR
// 0072).

import { hash } from 'node:crypto';
import type { Trace, TraceParent } from '../../domain/trigger/trace.ts';

/** Returns the trace of a run that begins its own trace. */
export function ownTrace(runId: string): Trace {
  return { trace_id: idOf(32, 'trace', runId), parent_id: null, sampled: true, state: null };
}

export function runSpanId(runId: string): string {
  return idOf(16, 'run', runId);
}

export function queueSpanId(runId: string): string {
  return idOf(16, 'queue', runId);
}

export function stepSpanId(runId: string, stepId: string): string {
  return idOf(16, 'step', runId, stepId);
}

export function attemptSpanId(runId: string, stepId: string, attempt: number): string {
  return idOf(16, 'attempt', runId, stepId, String(attempt));
}

/** Returns the trace context that an attempt passes on to the programs and runs that it starts. */
export function traceOfAttempt(
  { run_id: runId, trace }: { readonly run_id: string; readonly trace: Trace },
  { stepId, attempt }: { readonly stepId: string; readonly attempt: number },
): TraceParent {
  return { ...trace, parent_id: attemptSpanId(runId, stepId, attempt) };
}

function idOf(digits: 16 | 32, ...parts: readonly string[]): string {
  return hash('sha256', parts.join('\0')).slice(0, digits);
}
