// How long runs and steps took, for people: the same in the console and in the terminal UI.

import { formatDuration } from '../lib/units.ts';

/** From start to end, or to now. */
export function tookFor(startedAt: string | null, finishedAt: string | null, nowMs: number): string {
  if (startedAt === null) return '';
  const ms = Math.max(0, (finishedAt === null ? nowMs : Date.parse(finishedAt)) - Date.parse(startedAt));
  return formatDuration(ms < 1000 && finishedAt !== null ? ms : Math.floor(ms / 1000) * 1000);
}
