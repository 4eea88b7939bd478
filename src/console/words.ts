// The words for statuses, origins and times, and the paths of pages.

import { statusGlyphs } from '../client/looks.ts';
import { spanWords } from '../client/took.ts';
import type { AnswerOf } from '../contract/operations.ts';
import type { StepStatus } from '../domain/run.ts';
import { askedThrough } from '../domain/trigger/asked-through.ts';
import { parseDuration } from '../lib/units.ts';

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

/**
 * The message of the program. The exit code is left out if there is more text, because it does not help to tell errors
 * apart.
 */
export function errorWords(message: string): string {
  return message.replace(/^(\S+: )?exited with code \d+: /, '$1');
}

/** "by mara in the console", "by a schedule" */
export function originWords(run: Pick<RunRow, 'trigger' | 'created_by'>): string {
  return `by ${starterWords(run)}`;
}

/** "mara in the console", "a schedule" */
export function starterWords({ trigger, created_by: by }: Pick<RunRow, 'trigger' | 'created_by'>): string {
  const through = askedThrough.get(trigger.type);
  if (through !== undefined) return `${by} ${through}`;
  switch (trigger.type) {
    case 'rerun':
      return `${by} as a rerun`;
    case 'schedule':
      return 'a schedule';
    case 'backfill':
      return 'a backfill of a schedule';
    case 'webhook':
      return `a webhook (${by})`;
    case 'job_ended':
      return 'the end of another run';
    case 'file':
      return `the file ${harmless(trigger.path ?? '')}`;
    case 'check':
      return 'a check';
    default:
      return `a step of another run (${by})`;
  }
}

const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });
const wholeTime = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'long' });

/** The time of day to the millisecond, in the browser's time zone. */
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

/**
 * Names a run by its job and its time: "release, today 14:06". Without "today", the time would not say which day it
 * means.
 */
export function runTitle(
  { job_id: jobId, created_at: at }: Pick<RunRow, 'job_id' | 'created_at'>,
  nowMs: number,
): string {
  return `${harmless(jobId.slice(jobId.lastIndexOf('/') + 1))}, ${dayAndTime(at, nowMs)}`;
}

/** The time of a run, for its name or for a sentence: "today 14:06". Lists and cells leave "today" out. */
export function dayAndTime(timestamp: string, nowMs: number): string {
  const isToday = midnight(new Date(timestamp)) === midnight(new Date(nowMs));
  return `${isToday ? 'today ' : ''}${localTime(timestamp, nowMs)}`;
}

export function jobPath(jobId: string): string {
  return `/jobs/${jobId.split('/').map(encodeURIComponent).join('/')}`;
}

/** The address of the files of a job as they were at a revision. */
export function codePath(jobId: string, revision: string): string {
  return `${jobPath(jobId)}?${new URLSearchParams({ tab: 'code', revision }).toString()}`;
}

export function runPath(runId: string): string {
  return `/runs/${encodeURIComponent(runId)}`;
}

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

const whole = new Intl.NumberFormat('en-GB');

/** "3,918" */
export function countWords(count: number): string {
  return whole.format(count);
}

/** "1 file", "3,918 files" */
export function countOf(count: number, one: string, several = `${one}s`): string {
  return `${countWords(count)} ${count === 1 ? one : several}`;
}

/** Writes a duration that a setting has: `90d` as "90 days", `1h30m` as "1 h 30 min". */
export function settingWords(duration: string): string {
  const ms = parseDuration(duration);
  if (ms === undefined) return duration;
  return ms > 0 && ms % dayMs === 0 ? countOf(ms / dayMs, 'day') : spanWords(ms);
}

const timeOfDay = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const weekday = new Intl.DateTimeFormat('en-GB', { weekday: 'short' });
const dayOfYear = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const dayOfAnyYear = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });

/** "14:06", in the browser's time zone. */
export function timeWords(at: Date): string {
  return timeOfDay.format(at);
}

/** "14 Nov" */
export function dayWords(at: Date): string {
  return dayOfYear.format(at);
}

/** The browser's time zone, in which the console shows times. */
export const timeZone = timeOfDay.resolvedOptions().timeZone;

/** Adds the time zone of a schedule to a sentence about its times, unless the page has the same zone. */
export function inZone(sentence: string, zone: string): string {
  return isOwnZone(zone) ? sentence : `${sentence}, ${zone}`;
}

export function isOwnZone(zone: string): boolean {
  if (zone === timeZone) return true;
  try {
    // `Etc/UTC` and `UTC` are the same zone.
    return new Intl.DateTimeFormat('en-GB', { timeZone: zone }).resolvedOptions().timeZone === timeZone;
  } catch {
    // The server knows a zone that the browser does not.
    return false;
  }
}

/** "14:06" today, "yesterday 18:22", "tomorrow 02:00", "Tue 02:00" within a week, "14 Nov", "14 Nov 2025". */
export function localTime(timestamp: string, nowMs: number): string {
  const at = new Date(timestamp);
  const now = new Date(nowMs);
  const days = Math.round((midnight(at) - midnight(now)) / dayMs);
  const clockWords = timeOfDay.format(at);
  if (days === 0) return clockWords;
  if (days === -1) return `yesterday ${clockWords}`;
  if (days === 1) return `tomorrow ${clockWords}`;
  if (Math.abs(days) < 7) return `${weekday.format(at)} ${clockWords}`;
  return (at.getFullYear() === now.getFullYear() ? dayOfYear : dayOfAnyYear).format(at);
}

function midnight(at: Date): number {
  return new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();
}

/** The clock of the pages ticks every ten seconds, so a new timestamp can be up to ten seconds ahead of the clock. */
const nowMostMs = 10_000;

/** "12 min ago", "in 11 h 28 min", "now". */
export function ageWords(timestamp: string, nowMs: number): string {
  const ms = Date.parse(timestamp) - nowMs;
  if (ms > -secondMs && ms < nowMostMs) return 'now';
  return ms > 0 ? `in ${spanWords(Math.round(ms / minuteMs) * minuteMs || ms)}` : `${oneUnit(-ms)} ago`;
}

function oneUnit(ms: number): string {
  if (ms < minuteMs) return `${Math.round(ms / secondMs)} s`;
  if (ms < hourMs) return `${Math.floor(ms / minuteMs)} min`;
  if (ms < dayMs) return `${Math.floor(ms / hourMs)} h`;
  return `${Math.floor(ms / dayMs)} d`;
}

/** The instant with its zone, and in UTC. */
export function exactTime(timestamp: string): string {
  return `${wholeTime.format(new Date(timestamp))}\n${new Date(timestamp).toISOString()}`;
}

const dayAndClock = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' });

/** "25 Nov 2026, 02:30": always with the date and the time, however long ago it is. */
export function dayTimeWords(timestamp: string): string {
  return dayAndClock.format(new Date(timestamp));
}

const dayWithWeekday = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short' });

/** The time between two instants: "Fri 13 Nov, 14:00–15:00", and "Fri 13 Nov" for a day. */
export function spanTimes(fromMs: number, toMs: number): string {
  const [from, to] = [new Date(fromMs), new Date(toMs)];
  if (toMs - fromMs >= dayMs - hourMs && from.getHours() === 0) return dayWithWeekday.format(from);
  return `${dayWithWeekday.format(from)}, ${timeOfDay.format(from)}–${timeOfDay.format(to)}`;
}
