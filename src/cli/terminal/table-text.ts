// Lays out text in columns. It measures how wide a terminal shows each text.

import { textWidth } from './text-width.ts';

export type Style = 'good' | 'bad' | 'busy' | 'faint' | 'strong';
export type Column = {
  readonly name: string;
  /** The column may be cut in a narrow terminal. The last flexible column is cut first. */
  readonly isFlexible?: true;
  readonly isRight?: true;
};
/** A cell without control characters. */
export type PlainCell = { readonly text: string; readonly style: Style | null };

const gap = '  ';
const narrowest = 8;

export function tableText(
  columns: readonly Column[],
  cells: readonly (readonly PlainCell[])[],
  o: {
    readonly width: number;
    readonly paint: (style: Style, text: string) => string;
    readonly hasHeading: boolean;
  },
): string {
  const heading = columns.map(({ name }) => ({ text: name, style: 'faint' as const }));
  const rows = o.hasHeading ? [heading, ...cells] : cells;
  const widths = columns.map((_, at) => Math.max(0, ...rows.map((row) => textWidth(row[at]?.text ?? ''))));
  let excess = widths.reduce((sum, width) => sum + width + gap.length, -gap.length) - o.width;
  for (const [at, column] of [...columns.entries()].toReversed()) {
    if (!column.isFlexible || excess <= 0) continue;
    const given = Math.min(excess, Math.max(0, (widths[at] ?? 0) - narrowest));
    widths[at] = (widths[at] ?? 0) - given;
    excess -= given;
  }
  const lineOf = (row: readonly PlainCell[]): string =>
    row
      .map(({ text, style }, at) => {
        const width = widths[at] ?? 0;
        const cut = fit(text, width);
        const space = ' '.repeat(Math.max(0, width - textWidth(cut)));
        const shown = style ? o.paint(style, cut) : cut;
        if (columns[at]?.isRight) return space + shown;
        return at === row.length - 1 ? shown : shown + space;
      })
      .join(gap)
      .trimEnd();
  return rows.map((row) => `${lineOf(row)}\n`).join('');
}

/** Cuts the text to this width and marks the cut with `…`. */
export function fit(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let kept = '';
  let taken = 1;
  for (const character of text) {
    taken += textWidth(character);
    if (taken > width) break;
    kept += character;
  }
  return `${kept}…`;
}
