// States and times as the pages write them.

import { tookFor } from '../client/took.ts';
import type { AnswerOf } from '../contract/operations.ts';
import type { StepStatus } from '../domain/run.ts';

export type Run = AnswerOf<'getRun'>;
export type RunRow = AnswerOf<'listRuns'>['runs'][number];
export type Step = Run['steps'][number];

export const statusLooks: Readonly<Record<StepStatus, { readonly glyph: string; readonly word: string }>> = {
  pending: { glyph: '○', word: 'pending' },
  running: { glyph: '●', word: 'running' },
  success: { glyph: '✓', word: 'success' },
  failed: { glyph: '✗', word: 'failed' },
  cancelled: { glyph: '–', word: 'cancelled' },
  skipped: { glyph: '·', word: 'skipped' },
  waiting_approval: { glyph: '?', word: 'waits for approval' },
};

const reasons: Readonly<Record<string, string>> = {
  exit: 'a process ended with an error',
  signal: 'a process was ended by a signal',
  timeout: 'its time was up',
  out_of_memory: 'it needed more memory than it may have',
  lost: 'its processes were lost',
  start_failed: 'it could not be started',
  upstream_failed: 'a step before it failed',
  approval_denied: 'its approval was denied',
  invalid_result: 'its result is not valid',
  artifact_too_large: 'an artifact is too large',
  artifact_not_stored: 'an artifact could not be stored',
  quota_exceeded: 'a quota is used up',
  condition: 'its condition did not hold',
  run_ended: 'the run ended before its turn',
};

export function reasonWords(reason: string | null): string {
  return reason === null ? '' : (reasons[reason] ?? reason.replaceAll('_', ' '));
}

/** How a run is, or went, and why. */
export function runSentence(run: Run, nowMs: number): string {
  const took = tookFor(run.started_at, run.finished_at, nowMs);
  const code = run.exit_code === null || run.exit_code === 0 ? '' : ` (exit code ${run.exit_code})`;
  switch (run.status) {
    case 'pending':
      return `Waits: ${run.waiting ?? 'for its turn'}.`;
    case 'running': {
      if (run.cancel_requested_at !== null) return 'Is being cancelled: its processes have been told to end.';
      const progress = run.progress ? `, ${run.progress.percent} % – ${run.progress.message}` : '';
      const asked = run.steps.some(({ status }) => status === 'waiting_approval');
      return asked ? 'Waits for an approval.' : `Has been running for ${took}${progress}.`;
    }
    case 'success':
      return `Succeeded in ${took}.`;
    case 'cancelled':
      return run.started_at === null ? 'Cancelled before it started.' : `Cancelled after ${took}.`;
    default: {
      const where = run.error?.step_id !== undefined && run.steps.length > 1 ? ` in ${run.error.step_id}` : '';
      const why = run.error?.message ?? reasonWords(run.reason);
      return `Failed${where}${took ? ` after ${took}` : ''}: ${why.replace(/\.$/, '')}${run.error ? '' : code}.`;
    }
  }
}

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'always', style: 'short' });
const units = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
] as const;

/** A clock that is looked at every ten seconds is behind what has just happened. */
const nowMostMs = 10_000;

export function relativeTime(timestamp: string, nowMs: number): string {
  const ms = Date.parse(timestamp) - nowMs;
  const [unit, size] = units.find(([, least]) => Math.abs(ms) >= least) ?? ['second', 1_000];
  return ms > -1_000 && ms < nowMostMs ? 'now' : relative.format(Math.round(ms / size), unit);
}

export function jobPath(jobId: string): string {
  return `/jobs/${jobId.split('/').map(encodeURIComponent).join('/')}`;
}

export function runPath(runId: string): string {
  return `/runs/${encodeURIComponent(runId)}`;
}

/** Of a request that must not be done twice; `crypto.randomUUID` is there for HTTPS and localhost alone. */
export function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
