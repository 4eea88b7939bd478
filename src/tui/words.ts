// States and times as the screens write them.

import type { LogLevel } from '../domain/log-line.ts';
import type { StepStatus } from '../domain/run.ts';
import { formatDuration } from '../lib/units.ts';
import type { Colour } from './line.ts';

export const statusLooks: Readonly<Record<StepStatus, { readonly glyph: string; readonly colour: Colour }>> = {
  pending: { glyph: '○', colour: 'yellow' },
  running: { glyph: '●', colour: 'cyan' },
  success: { glyph: '✓', colour: 'green' },
  failed: { glyph: '✗', colour: 'red' },
  cancelled: { glyph: '–', colour: 'magenta' },
  skipped: { glyph: '·', colour: 'gray' },
  waiting_approval: { glyph: '?', colour: 'yellow' },
};

export const levelColours: Readonly<Record<LogLevel, Colour | undefined>> = {
  trace: 'gray',
  debug: 'gray',
  info: undefined,
  warn: 'yellow',
  error: 'red',
  fatal: 'red',
};

/** From start to end, or to now. */
export function tookFor(startedAt: string | null, finishedAt: string | null, nowMs: number): string {
  if (startedAt === null) return '';
  const ms = Math.max(0, (finishedAt === null ? nowMs : Date.parse(finishedAt)) - Date.parse(startedAt));
  return formatDuration(ms < 1000 && finishedAt !== null ? ms : Math.floor(ms / 1000) * 1000);
}

/** In the time of the reader's clock: `11-26 17:46:17`. */
export function atTime(timestamp: string): string {
  const at = new Date(timestamp);
  return `${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
