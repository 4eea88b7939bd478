// Whose time is over, and how it then reads.

import type { JobDefinition, StepDefinition } from '../../domain/job.ts';
import { formatDuration } from '../../lib/units.ts';
import type { Interruption } from './attempt.ts';
import type { StepInstance } from './step-instances.ts';

export function runOverdue(job: JobDefinition, deadlineAtMs: number | null, nowMs: number): Interruption | undefined {
  if (deadlineAtMs === null || deadlineAtMs > nowMs) return undefined;
  const message = didNotEnd(job.timeouts.runMs);
  return {
    status: 'failed',
    reason: 'timeout',
    message: job.composition === 'single' ? message : `the run ${message}`,
  };
}

export function stepOverdue(
  { deadlineAtMs }: Pick<StepInstance, 'deadlineAtMs'>,
  { timeoutMs }: Pick<StepDefinition, 'timeoutMs'>,
  nowMs: number,
): Interruption | undefined {
  if (deadlineAtMs === null || deadlineAtMs > nowMs) return undefined;
  return { status: 'failed', reason: 'timeout', message: didNotEnd(timeoutMs) };
}

function didNotEnd(withinMs: number | null): string {
  return `did not end within ${formatDuration(withinMs ?? 0)}`;
}
