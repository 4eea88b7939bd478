// Draws the lines of a log.

import { Box } from 'ink';
import { createElement as h, type ReactElement } from 'react';
import { cleanedOutput } from '../cleaned.ts';
import { hasColours, line, type Span } from '../line.ts';
import { levelColours } from '../words.ts';
import { type HeldLine, type LogView, topOf } from './log-view.ts';

const unitsForColumn = 32;

export type LogPaneProps = {
  readonly view: LogView;
  readonly rows: number;
  readonly columns: number;
  /** How many columns are hidden on the left, because the user has scrolled. */
  readonly left: number;
  /** The labels of the steps by id; null: the lines do not name their step. */
  readonly labels: ReadonlyMap<string, string> | null;
  readonly found: ReadonlySet<number>;
  readonly current: number | null;
};

export function LogPane({ view, rows, ...o }: LogPaneProps): ReactElement {
  const top = topOf(view, rows);
  return h(
    Box,
    { flexDirection: 'column', height: rows },
    ...view.lines.slice(top, top + rows).map((held) => line(spansOf(held, o), held.seq)),
  );
}

function spansOf(held: HeldLine, o: Omit<LogPaneProps, 'view' | 'rows'>): Span[] {
  const { seq, level, timestamp, text } = held;
  const isCurrent = seq === o.current;
  // More characters than columns are taken, because escape sequences are characters that take no columns.
  const part = text.slice(0, (o.left + o.columns) * unitsForColumn);
  const shown = cleanedOutput(part, { from: o.left, hasColours: hasColours && !isCurrent });
  const colour = levelColours[level];
  return [
    { text: isCurrent ? '❯' : o.found.has(seq) ? '·' : ' ', colour: 'cyan' },
    { text: `${clockTime(timestamp)} `, colour: 'gray' },
    { text: `${level[0]?.toUpperCase() ?? ''} `, colour, isBold: level === 'fatal' },
    ...(o.labels ? [{ text: `${o.labels.get(held.step_id) ?? held.step_id} `, colour: 'gray' } as const] : []),
    { text: shown, colour, isInverse: isCurrent, isOutput: true },
  ];
}

function clockTime(timestamp: string): string {
  return new Date(timestamp).toTimeString().slice(0, 8);
}
