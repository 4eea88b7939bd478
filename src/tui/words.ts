// States and times as the screens write them.

import type { LogLevel } from '../domain/log-line.ts';
import type { StepStatus } from '../domain/run.ts';
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

/** In the time of the reader's clock: `11-26 17:46:17`. */
export function atTime(timestamp: string): string {
  const at = new Date(timestamp);
  return `${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
