// The words for statuses, origins and times, and the paths of pages.

import { statusGlyphs } from '../client/looks.ts';
import { awayWords, durationWords, tookFor } from '../client/took.ts';
import type { AnswerOf } from '../contract/operations.ts';
import type { StepStatus } from '../domain/run.ts';

export type Run = AnswerOf<'getRun'>;
export type RunRow = AnswerOf<'listRuns'>['runs'][number];
export type Step = Run['steps'][number];

export const statusLooks: Readonly<Record<StepStatus, { readonly glyph: string; readonly word: string }>> = {
  pending: { glyph: statusGlyphs.pending, word: 'pending' },
  running: { glyph: statusGlyphs.running, word: 'running' },
  success: { glyph: statusGlyphs.success, word: 'success' },
  failed: { glyph: statusGlyphs.failed, word: 'failed' },
  cancelled: { glyph: statusGlyphs.cancelled, word: 'cancelled' },
  skipped: { glyph: statusGlyphs.skipped, word: 'skipped' },
  waiting_approval: { glyph: statusGlyphs.waiting_approval, word: 'waiting for approval' },
};

const reasons: Readonly<Record<string, string>> = {
  exit: 'a process exited with an error',
  signal: 'a process was killed by a signal',
  timeout: 'it timed out',
  out_of_memory: 'it ran out of memory',
  lost: 'its processes were lost',
  start_failed: 'it could not be started',
  upstream_failed: 'a step that it needs failed',
  approval_denied: 'approval was denied',
  invalid_result: 'its result is not valid',
  artifact_too_large: 'an artifact is too large',
  artifact_not_stored: 'an artifact could not be stored',
  quota_exceeded: 'a quota is used up',
  condition: 'its condition was false',
  run_ended: 'the run ended first',
};

export function reasonWords(reason: string | null): string {
  return reason === null ? '' : (reasons[reason] ?? reason.replaceAll('_', ' '));
}

type Sentence = { readonly told: string; readonly soFar: string };

/** The state of a run and the reason for it. `soFar` changes every second while it runs, so it is not announced. */
export function runSentence(run: Run, nowMs: number): Sentence {
  const took = tookFor(run.started_at, run.finished_at, nowMs);
  const code = run.exit_code === null || run.exit_code === 0 ? '' : ` (exit code ${run.exit_code})`;
  switch (run.status) {
    case 'pending':
      return told(`Waiting: ${run.waiting ?? 'in the queue'}.`);
    case 'running': {
      if (run.cancel_requested_at !== null) return told('Being cancelled: its processes were asked to stop.');
      if (run.waiting !== null) return told(`Waiting: ${run.waiting}.`);
      const progress = run.progress ? `, ${run.progress.percent} % – ${run.progress.message}` : '';
      return { told: 'Running', soFar: ` for ${took}${waitedWords(run)}${progress}.` };
    }
    case 'success':
      return told(`Succeeded in ${took}${waitedWords(run)}.`);
    case 'cancelled':
      return told(
        run.started_at === null ? 'Cancelled before it started.' : `Cancelled after ${took}${waitedWords(run)}.`,
      );
    default: {
      const where = run.error?.step_id !== undefined && run.steps.length > 1 ? ` in ${run.error.step_id}` : '';
      const why = run.error?.message ?? reasonWords(run.reason);
      const time = took === '' ? '' : `${took}${waitedWords(run)}`;
      const what = `${why.replace(/\.$/, '')}${run.error ? '' : code}.`;
      if (time === '') return told(`Failed${where}: ${what}`);
      // The duration is the run's, not the step's.
      return told(where === '' ? `Failed after ${time}: ${what}` : `Failed${where}: ${what} The run took ${time}.`);
    }
  }
}

function told(text: string): Sentence {
  return { told: text, soFar: '' };
}

/** Shorter waits are not mentioned. */
const leastWaitMs = 1_000;

function waitedWords(run: Run): string {
  // Before a later attempt the run did not only wait.
  const startedAt = run.attempt === 1 ? run.started_at : null;
  const ms = startedAt === null ? 0 : Date.parse(startedAt) - Date.parse(run.created_at);
  return ms < leastWaitMs ? '' : ` (it waited ${durationWords(ms)})`;
}

/** Who or what started a run, and through which interface. */
export function originWords({ trigger, created_by: by }: Pick<RunRow, 'trigger' | 'created_by'>): string {
  switch (trigger.type) {
    case 'api':
      return `by ${by} through the API`;
    case 'cli':
      return `by ${by} on the command line`;
    case 'console':
      return `by ${by} in the console`;
    case 'mcp':
      return `by ${by} through MCP`;
    case 'rerun':
      return `by ${by} as a rerun`;
    case 'schedule':
      return 'by a schedule';
    case 'webhook':
      return `by a webhook (${by})`;
    default:
      return `by a step of another run (${by})`;
  }
}

/** The clock that pages use ticks every ten seconds, so a new timestamp can lie that far ahead of it. */
const nowMostMs = 10_000;

export function relativeTime(timestamp: string, nowMs: number): string {
  const ms = Date.parse(timestamp) - nowMs;
  return ms > -1_000 && ms < nowMostMs ? 'now' : awayWords(ms);
}

const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });
const wholeTime = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'long' });

/** Time of day to the millisecond, in the browser's time zone. */
export function clockTime(timestamp: string): string {
  const at = new Date(timestamp);
  return `${clock.format(at)}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

export function fullTime(timestamp: string): string {
  return wholeTime.format(new Date(timestamp));
}

/** Control characters, and characters that change the direction of text. */
const unsafe = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** Replaces characters of untrusted text that could change how the text beside it is shown. */
export function harmless(text: string): string {
  return text.replaceAll(unsafe, '�');
}

export function jobPath(jobId: string): string {
  return `/jobs/${jobId.split('/').map(encodeURIComponent).join('/')}`;
}

export function runPath(runId: string): string {
  return `/runs/${encodeURIComponent(runId)}`;
}
