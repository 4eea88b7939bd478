// Adds two estimates to a running run: how long it will take without waiting, and when it will end.

import type { RunSummary } from '../../domain/run.ts';
import { toTimestamp } from '../../lib/clock.ts';
import type { UsualWork } from './usual-work.ts';

type Shown = Pick<RunSummary, 'job_id' | 'tenant' | 'status' | 'started_at' | 'approval_ms' | 'waiting_approval'>;
export type Expected = { readonly expected_ms: number | null; readonly expected_end_at: string | null };

const unknown: Expected = { expected_ms: null, expected_end_at: null };

export async function withExpectedEnd<R extends Shown>(run: R, usual: UsualWork): Promise<R & Expected> {
  const { job_id: jobId, tenant, status } = run;
  if (status !== 'running') return { ...run, ...unknown };
  return { ...run, ...expectedOf(run, await usual.medianMs({ jobId, tenant })) };
}

function expectedOf(
  { started_at: startedAt, approval_ms: askedMs, waiting_approval: asking }: Shown,
  workMs: number | null,
): Expected {
  const isKnown = workMs !== null && startedAt !== null && asking.length === 0;
  return {
    expected_ms: workMs,
    expected_end_at: isKnown ? toTimestamp(Date.parse(startedAt) + askedMs + workMs) : null,
  };
}
