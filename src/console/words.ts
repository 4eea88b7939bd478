// States and times as the pages write them.

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
  waiting_approval: { glyph: statusGlyphs.waiting_approval, word: 'waits for approval' },
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

type Sentence = { readonly told: string; readonly soFar: string };

/** How a run is, or went, and why. `soFar` changes all the time while it runs, so it is no news. */
export function runSentence(run: Run, nowMs: number): Sentence {
  const took = tookFor(run.started_at, run.finished_at, nowMs);
  const code = run.exit_code === null || run.exit_code === 0 ? '' : ` (exit code ${run.exit_code})`;
  switch (run.status) {
    case 'pending':
      return told(`Waits: ${run.waiting ?? 'for its turn'}.`);
    case 'running': {
      if (run.cancel_requested_at !== null) return told('Is being cancelled: its processes have been told to end.');
      if (run.waiting !== null) return told(`Waits: ${run.waiting}.`);
      const progress = run.progress ? `, ${run.progress.percent} % – ${run.progress.message}` : '';
      return { told: 'Has been running', soFar: ` for ${took}${waitedWords(run)}${progress}.` };
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
      // The step did not take as long.
      return told(where === '' ? `Failed after ${time}: ${what}` : `Failed${where}: ${what} The run took ${time}.`);
    }
  }
}

function told(text: string): Sentence {
  return { told: text, soFar: '' };
}

/** What is not worth a word is not waiting. */
const leastWaitMs = 1_000;

function waitedWords(run: Run): string {
  // Of one that was begun again, the time before is not waiting alone.
  const startedAt = run.attempt === 1 ? run.started_at : null;
  const ms = startedAt === null ? 0 : Date.parse(startedAt) - Date.parse(run.created_at);
  return ms < leastWaitMs ? '' : ` (it waited ${durationWords(ms)})`;
}

/** By whom, and on what way. */
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

/** A clock that is looked at every ten seconds is behind what has just happened. */
const nowMostMs = 10_000;

export function relativeTime(timestamp: string, nowMs: number): string {
  const ms = Date.parse(timestamp) - nowMs;
  return ms > -1_000 && ms < nowMostMs ? 'now' : awayWords(ms);
}

const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });
const wholeTime = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'long' });

/** Of the day, to the millisecond, where the reader is. */
export function clockTime(timestamp: string): string {
  const at = new Date(timestamp);
  return `${clock.format(at)}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

export function fullTime(timestamp: string): string {
  return wholeTime.format(new Date(timestamp));
}

/** Controls, and what changes the direction of text. */
const unsafe = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** A text of others, none of which turns around what stands beside it. */
export function harmless(text: string): string {
  return text.replaceAll(unsafe, '�');
}

export function jobPath(jobId: string): string {
  return `/jobs/${jobId.split('/').map(encodeURIComponent).join('/')}`;
}

export function runPath(runId: string): string {
  return `/runs/${encodeURIComponent(runId)}`;
}
