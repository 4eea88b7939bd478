// Writes durations for people, in the same form on the command line, in the console and in the terminal UI.

import { formatDuration } from '../lib/units.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** Rounds to what a person can use: `350ms`, `12.4s`, `3m20s`, `2h5m`. */
export function durationWords(ms: number): string {
  if (ms < 1_000) return formatDuration(Math.round(ms));
  if (ms < minuteMs) return `${(Math.floor(ms / 100) / 10).toFixed(1)}s`;
  const unitMs = ms < hourMs ? 1_000 : minuteMs;
  return formatDuration(Math.floor(ms / unitMs) * unitMs);
}

const nearUnits = [
  ['d', 24 * hourMs],
  ['h', hourMs],
  ['m', minuteMs],
  ['s', 1_000],
] as const;

/** The distance of a time in one unit: `in 5m`, `12s ago`. Negative values are in the past. */
export function awayWords(ms: number): string {
  const distance = Math.abs(ms);
  const [unit, unitMs] = nearUnits.find(([, leastMs]) => distance >= leastMs) ?? ['s', 1_000];
  const words = `${Math.round(distance / unitMs)}${unit}`;
  return ms > 0 ? `in ${words}` : `${words} ago`;
}

/** From the start to the end, or to now. */
export function tookFor(startedAt: string | null, finishedAt: string | null, nowMs: number): string {
  if (startedAt === null) return '';
  const ms = Math.max(0, (finishedAt === null ? nowMs : Date.parse(finishedAt)) - Date.parse(startedAt));
  return finishedAt === null && ms < minuteMs ? formatDuration(Math.floor(ms / 1_000) * 1_000) : durationWords(ms);
}
