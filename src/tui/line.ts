// A line of the screen, made of spans; whatever they hold takes exactly one row.

import { Box, Text } from 'ink';
import { createElement as h, type ReactElement } from 'react';
import { characters } from './characters.ts';
import { cleaned } from './cleaned.ts';

export type Colour = 'red' | 'green' | 'yellow' | 'cyan' | 'magenta' | 'gray';

export type Span = {
  readonly text: string;
  readonly colour?: Colour | undefined;
  readonly isBold?: boolean;
  readonly isInverse?: boolean;
  /** It has gone through `cleanedOutput`. */
  readonly isOutput?: true;
};

export type Cell = {
  readonly spans: readonly (Span | string)[];
  /** Columns; without it, the cell takes what is left. */
  readonly width?: number;
};

/** More than any line can show, of what may be a megabyte. */
const mostUnits = 2_000;

export const hasColours = (process.env.NO_COLOR ?? '') === '';

export function line(spans: readonly (Span | string)[], key?: string | number): ReactElement {
  return cells([{ spans }], key);
}

export function cells(row: readonly Cell[], key?: string | number): ReactElement {
  return h(
    Box,
    { height: 1, flexShrink: 0, ...(key !== undefined && { key }) },
    ...row.map(({ spans, width }, index) =>
      h(
        Box,
        {
          key: index,
          ...(width === undefined ? { flexGrow: 1, flexShrink: 1, flexBasis: 0 } : { width, flexShrink: 0 }),
        },
        h(Text, { wrap: 'truncate-end' }, ...spans.map(toText)),
      ),
    ),
  );
}

function toText(span: Span | string, index: number): ReactElement {
  const { text, colour, isBold, isInverse, isOutput }: Span = typeof span === 'string' ? { text: span } : span;
  return h(
    Text,
    {
      key: index,
      ...(hasColours && colour && { color: colour }),
      ...(isBold && { bold: true }),
      ...(isInverse && { inverse: true }),
    },
    isOutput ? text : cleaned(text.slice(0, mostUnits)),
  );
}

/** Words over several rows, as many as there are. */
export function paragraph(span: Span, rows: number, key?: string | number): ReactElement {
  return h(
    Box,
    { height: rows, flexShrink: 0, overflow: 'hidden', ...(key !== undefined && { key }) },
    h(
      Text,
      { wrap: 'wrap', ...(hasColours && span.colour && { color: span.colour }) },
      cleaned(span.text.slice(0, mostUnits)),
    ),
  );
}

/** What is typed, with its cursor; of a text wider than the room the end around the cursor. */
export function typed(text: string, cursor: number, columns: number): Span[] {
  const shown = cleanedBefore(text.slice(0, cursor), columns - 1);
  const under = characters(text.slice(cursor))[0] ?? ' ';
  return [{ text: shown }, { text: under, isInverse: true }, { text: text.slice(cursor + under.length) }];
}

function cleanedBefore(text: string, columns: number): string {
  const all = characters(cleaned(text));
  return all.length <= columns ? all.join('') : `…${all.slice(-Math.max(0, columns - 1)).join('')}`;
}
