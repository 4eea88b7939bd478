// The lines of a log as they are drawn.

import { Box } from 'ink';
import { createElement as h, type ReactElement } from 'react';
import type { LogLine } from '../domain/log-line.ts';
import { cleanedOutput } from './cleaned.ts';
import { hasColours, line, type Span } from './line.ts';
import { type LogView, topOf } from './log-view.ts';
import { levelColours } from './words.ts';

export type LogPaneProps = {
  readonly view: LogView;
  readonly rows: number;
  /** Columns that are scrolled out to the left. */
  readonly left: number;
  readonly hasSteps: boolean;
  readonly found: ReadonlySet<number>;
  readonly current: number | null;
};

export function LogPane({ view, rows, ...o }: LogPaneProps): ReactElement {
  const top = topOf(view, rows);
  return h(
    Box,
    { flexDirection: 'column', height: rows },
    ...view.lines.slice(top, top + rows).map((logLine) => line(spansOf(logLine, o), logLine.seq)),
  );
}

function spansOf(logLine: LogLine, o: Omit<LogPaneProps, 'view' | 'rows'>): Span[] {
  const { seq, level, message, timestamp, fields } = logLine;
  const isCurrent = seq === o.current;
  const members = fields ? ` ${JSON.stringify(fields)}` : '';
  const text = cleanedOutput(message + members, { from: o.left, hasColours: hasColours && !isCurrent });
  const colour = levelColours[level];
  return [
    { text: isCurrent ? '❯' : o.found.has(seq) ? '·' : ' ', colour: 'cyan' },
    { text: `${clockTime(timestamp)} `, colour: 'gray' },
    { text: `${level[0]?.toUpperCase() ?? ''} `, colour, isBold: level === 'fatal' },
    ...(o.hasSteps ? [{ text: `${logLine.step_id} `, colour: 'gray' } as const] : []),
    { text, colour, isInverse: isCurrent, isOutput: true },
  ];
}

function clockTime(timestamp: string): string {
  return new Date(timestamp).toTimeString().slice(0, 8);
}
