// The lines of a log that are in memory, without gaps, and which of these lines are on the screen.

import { appended, extended, type LogStretch, prepended } from '../../client/log-stretch.ts';
import type { LogLine } from '../../domain/log-line.ts';

/** A line in memory. `text` is its message and fields as one text. A long text is cut. */
export type HeldLine = Pick<LogLine, 'seq' | 'timestamp' | 'level' | 'step_id'> & { readonly text: string };

export type LogView = LogStretch<HeldLine> & {
  /** The view scrolls so that the last line is always on the screen. */
  readonly isFollowing: boolean;
  /** The index of the first line on the screen. It is used only if the view does not follow the end. */
  readonly top: number;
};

export const mostLines = 5_000;
/** How much of a line stays in memory. A line may be 64 KiB long, and 5,000 such lines would take too much memory. */
const mostUnits = 8_000;

export function heldLine({ seq, timestamp, level, step_id, message, fields }: LogLine): HeldLine {
  const text = fields ? `${message} ${JSON.stringify(fields)}` : message;
  return { seq, timestamp, level, step_id, text: text.length <= mostUnits ? text : firstPart(text) };
}

/** Copies the first part, because a slice would keep the whole text in memory. */
function firstPart(text: string): string {
  return `${Buffer.from(text.slice(0, mostUnits), 'utf16le').toString('utf16le')}…`;
}

export const emptyLog: LogView = { lines: [], isFromStart: true, isToEnd: false, isFollowing: true, top: 0 };

/** Index of the first line on a screen with this many rows. */
export function topOf({ lines, isFollowing, top }: LogView, rows: number): number {
  const last = Math.max(0, lines.length - rows);
  return isFollowing ? last : Math.min(top, last);
}

/** Appends new output. */
export function withLast(view: LogView, lines: readonly HeldLine[]): LogView {
  return appended(view, lines, { mostLines, isFollowed: view.isFollowing });
}

/** Adds lines before the first one. */
export function withEarlier(view: LogView, before: Pick<LogView, 'lines' | 'isFromStart'>): LogView {
  const isCut = before.lines.length + view.lines.length > mostLines;
  return {
    ...prepended(view, before, mostLines),
    isFollowing: view.isFollowing && !isCut,
    top: view.top + before.lines.length,
  };
}

/** Adds lines after the last one. */
export function withLater(
  view: LogView,
  after: { readonly lines: readonly HeldLine[]; readonly isLast: boolean },
): LogView {
  const cut = Math.max(0, view.lines.length + after.lines.length - mostLines);
  return { ...extended(view, after, mostLines), top: Math.max(0, view.top - cut) };
}

/** Scrolls by this many lines. If this reaches the end of the log, the view follows new lines from then on. */
export function scrolled(view: LogView, by: number, rows: number): LogView {
  const last = Math.max(0, view.lines.length - rows);
  const top = Math.max(0, Math.min(last, topOf(view, rows) + by));
  return { ...view, top, isFollowing: view.isToEnd && top === last && by >= 0 };
}

/** Scrolls this line into the upper part of the screen. Returns null if the line is not in memory. */
export function scrolledTo(view: LogView, seq: number, rows: number): LogView | null {
  const index = view.lines.findIndex((line) => line.seq === seq);
  return index < 0 ? null : { ...view, top: Math.max(0, index - Math.floor(rows / 3)), isFollowing: false };
}

/**
 * Returns the next match in this direction. After the last one, it continues at the other end. `found` must be in
 * ascending order.
 */
export function nextFound(found: readonly number[], from: number | null, direction: 1 | -1): number | null {
  if (from === null) return found.at(direction === 1 ? 0 : -1) ?? null;
  return direction === 1
    ? (found.find((seq) => seq > from) ?? found[0] ?? null)
    : (found.findLast((seq) => seq < from) ?? found.at(-1) ?? null);
}
