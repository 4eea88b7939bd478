// Writes durations for people, in the same words on the command line, in the console and in the terminal UI.

import type { AnswerOf } from '../contract/operations.ts';

type RunRow = AnswerOf<'listRuns'>['runs'][number];
type Times = Pick<RunRow, 'started_at' | 'finished_at'>;
type Work = Pick<RunRow, 'started_at' | 'finished_at' | 'waiting_approval' | 'approval_ms'>;

const secondMs = 1_000;
const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', secondMs],
] as const;

/** A duration in at most two units: "340 ms", "4.1 s", "22 s", "4 min 12 s", "1 h 42 min", "2 d 3 h". */
export function spanWords(ms: number): string {
  const span = Math.max(0, ms);
  if (span < secondMs) return `${Math.round(span)} ms`;
  if (span < 9.95 * secondMs) return `${(span / secondMs).toFixed(1)} s`;
  const first = units.findIndex(([, unitMs]) => span >= unitMs);
  const [big, small] = [units[first], units[first + 1]];
  if (!big || !small) return `${Math.round(span / secondMs)} s`;
  const rounded = Math.floor(span / small[1]) * small[1];
  const rest = Math.floor((rounded % big[1]) / small[1]);
  return `${Math.floor(rounded / big[1])} ${big[0]}${rest === 0 ? '' : ` ${rest} ${small[0]}`}`;
}

/**
 * A duration without fractions, for a time that is still running, and for estimates: "0 s", "4 s", "22 s", "4 min 12
 * s".
 */
export function secondsWords(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / secondMs);
  return seconds < 10 ? `${seconds} s` : spanWords(seconds * secondMs);
}

/** How far a time is from now, in one unit: "in 5 min", "12 s ago". Negative values are in the past. */
export function awayWords(ms: number): string {
  const distance = Math.abs(ms);
  const [unit, unitMs] = units.find(([, leastMs]) => distance >= leastMs) ?? ['s', secondMs];
  const words = `${Math.round(distance / unitMs)} ${unit}`;
  return ms > 0 ? `in ${words}` : `${words} ago`;
}

/** Returns null before the start. Before the end, returns null if `nowMs` is not given. */
export function tookMs({ started_at: from, finished_at: to }: Times, nowMs?: number): number | null {
  const endMs = to === null ? nowMs : Date.parse(to);
  return from === null || endMs === undefined ? null : Math.max(0, endMs - Date.parse(from));
}

/**
 * Returns how long a run worked, without the time in which it waited for a person. The usual duration of a job is
 * measured in the same way.
 */
export function workMs(run: Work, nowMs?: number): number | null {
  const ms = tookMs(run, nowMs);
  if (ms === null) return null;
  const askingMs = run.waiting_approval.map(({ since }) => (nowMs ?? 0) - Date.parse(since));
  return Math.max(0, ms - run.approval_ms - Math.max(0, ...askingMs));
}

/** The time from the start to the end. Before the end, the time from the start to now. Empty before the start. */
export function tookWords(of: Times, nowMs: number): string {
  return soFarWords(tookMs(of, nowMs), of);
}

/**
 * Returns how long a run worked. For a run that waits for an approval, returns the time since its start. null: the run
 * has not started.
 */
export function soFarMs(run: Work, nowMs: number): number | null {
  return run.waiting_approval.length > 0 ? tookMs(run, nowMs) : workMs(run, nowMs);
}

export function workWords(run: Work, nowMs: number): string {
  return soFarWords(soFarMs(run, nowMs), run);
}

function soFarWords(ms: number | null, { finished_at: finishedAt }: Times): string {
  if (ms === null) return '';
  return finishedAt === null ? secondsWords(ms) : spanWords(ms);
}

/** Returns, for example, "18 min waiting for approval"; empty below a second. */
export function approvalWords({ approval_ms: ms }: Pick<Work, 'approval_ms'>): string {
  return ms < secondMs ? '' : `${spanWords(ms)} waiting for approval`;
}

/** The duration of a run that has ended: "4.1 s", or "4.1 s of work, 18 min waiting for approval". */
export function wholeWords(run: Work): string {
  const [work, waited] = [workWords(run, 0), approvalWords(run)];
  return waited === '' ? work : `${work} of work, ${waited}`;
}
