// How long runs and steps took, for people: the same in the console and in the terminal UI.

import { formatDuration } from '../lib/units.ts';

/** From start to end, or to now. */
export function tookFor(startedAt: string | null, finishedAt: string | null, nowMs: number): string {
  if (startedAt === null) return '';
  const ms = Math.max(0, (finishedAt === null ? nowMs : Date.parse(finishedAt)) - Date.parse(startedAt));
  return finishedAt === null ? formatDuration(wholeSeconds(ms)) : roundedDuration(ms);
}

/** To the second, but for what lasted no second. */
export function roundedDuration(ms: number): string {
  return formatDuration(ms < 1000 ? ms : wholeSeconds(ms));
}

function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
