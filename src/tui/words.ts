// The symbols, colours and words with which the screens show statuses, log levels and times.

import { statusGlyphs } from '../client/looks.ts';
import type { AnswerOf } from '../contract/operations.ts';
import type { LogLevel } from '../domain/log-line.ts';
import type { StepStatus } from '../domain/run.ts';
import type { Colour } from './line.ts';

type RunRow = Pick<AnswerOf<'listRuns'>['runs'][number], 'status' | 'waiting_approval'>;

export const statusLooks: Readonly<Record<StepStatus, { readonly glyph: string; readonly colour: Colour }>> = {
  pending: { glyph: statusGlyphs.pending, colour: 'yellow' },
  running: { glyph: statusGlyphs.running, colour: 'cyan' },
  success: { glyph: statusGlyphs.success, colour: 'green' },
  failed: { glyph: statusGlyphs.failed, colour: 'red' },
  cancelled: { glyph: statusGlyphs.cancelled, colour: 'magenta' },
  skipped: { glyph: statusGlyphs.skipped, colour: 'gray' },
  waiting_approval: { glyph: statusGlyphs.waiting_approval, colour: 'yellow' },
};

/** Returns the status to show. In the API, a run that waits for an approval is `running`. */
export function shownStatus({ status, waiting_approval: waiting }: RunRow): StepStatus {
  return waiting.length > 0 ? 'waiting_approval' : status;
}

export const levelColours: Readonly<Record<LogLevel, Colour | undefined>> = {
  trace: 'gray',
  debug: 'gray',
  info: undefined,
  warn: 'yellow',
  error: 'red',
  fatal: 'red',
};

/** Writes the time in the local time zone: `11-26 17:46:17`. */
export function atTime(timestamp: string): string {
  const at = new Date(timestamp);
  return `${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
