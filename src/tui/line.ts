// A line of the screen, made of spans. A line takes exactly one row, whatever its spans contain.

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
  /** The text is from `cleanedOutput`, so it is not cleaned again. */
  readonly isOutput?: true;
};

export type Cell = {
  readonly spans: readonly (Span | string)[];
  /** The width in columns; left out if the cell takes the rest of the line. */
  readonly width?: number;
};

/** No line shows more of a text than this. A text may be a megabyte long. */
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

/** Shows a text, wrapped into at most this many rows. */
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

/** A text that is being typed, with its cursor. If it is too wide, the part before the cursor is cut. */
export function typed(text: string, cursor: number, columns: number): Span[] {
  const shown = cleanedBefore(text.slice(0, cursor), columns - 1);
  const under = characters(text.slice(cursor))[0] ?? ' ';
  return [{ text: shown }, { text: under, isInverse: true }, { text: text.slice(cursor + under.length) }];
}

function cleanedBefore(text: string, columns: number): string {
  const all = characters(cleaned(text));
  return all.length <= columns ? all.join('') : `…${all.slice(-Math.max(0, columns - 1)).join('')}`;
}
