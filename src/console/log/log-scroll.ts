// The scroll position of a log. Lines keep their place when the log grows above or below them. At the end of the log,
// the pane follows new lines.

import { type RefObject, useEffect, useEffectEvent, useLayoutEffect, useRef, useState } from 'react';
import type { Opening, RunLog } from './run-log.ts';

/**
 * What keeps its place in the pane while the log grows: the end of the log, or a line at this offset from the pane's
 * upper edge.
 */
type Anchor = 'end' | { readonly seq: number; readonly offset: number };

export type LogScroll = {
  readonly pane: RefObject<HTMLDivElement | null>;
  readonly isFollowing: boolean;
  /** Whether the last line is visible. */
  readonly showsEnd: boolean;
  /** How many lines have been added since the reader left the end. */
  readonly newCount: number;
  readonly onScroll: () => void;
  readonly toEnd: () => void;
};

const nearPx = 1_500;
const atEndPx = 24;
const rowPx = 19;

/** @param marked the line to scroll to */
export function useLogScroll(log: RunLog, marked: number | null): LogScroll {
  const { held, look, opening, start, liveCount, jump } = log;
  const pane = useRef<HTMLDivElement>(null);
  /** How many live lines there were when the reader left the end; null: the reader is at the end. */
  const [leftAt, setLeftAt] = useState(start === 'end' ? null : 0);
  const anchor = useRef<Anchor>('end');
  /** The scroll position that this code set last. A scroll event at this position was not caused by the reader. */
  const putAt = useRef(0);
  const placed = useRef<Opening | null>(null);
  const [showsEnd, setShowsEnd] = useState(false);

  function hold(next: Anchor): void {
    anchor.current = next;
    setLeftAt((now) => (next === 'end' ? null : (now ?? liveCount)));
    look(next === 'end' ? next : next.seq);
  }

  const bring = useEffectEvent((shown: HTMLElement, row: HTMLElement, offset: number) => {
    shown.scrollTop = row.offsetTop - offset;
    putAt.current = shown.scrollTop;
    hold({ seq: seqOf(row), offset: row.offsetTop - shown.scrollTop });
  });

  const keep = useEffectEvent(() => {
    const shown = pane.current;
    if (!shown) return;
    putTo(shown, anchor.current);
    putAt.current = shown.scrollTop;
    setShowsEnd(held?.isToEnd === true && belowOf(shown) < atEndPx);
    fill(shown, log);
  });

  const place = useEffectEvent((shown: HTMLElement) => {
    const row = start === 'end' ? null : rowFrom(shown, start === 'first' ? 0 : start);
    const before = anchor.current;
    setLeftAt(row ? 0 : null);
    if (!row) hold('end');
    else if (start === 'first') bring(shown, row, row.offsetTop);
    else bring(shown, row, before !== 'end' && before.seq === start ? before.offset : shown.clientHeight / 3);
  });

  const isFollowing = leftAt === null;
  useLayoutEffect(() => {
    const shown = pane.current;
    if (!shown || !held) return;
    // The position is set once for each opening of the log, when the lines have been read.
    if (placed.current !== opening) place(shown);
    placed.current = opening;
    keep();
  }, [held, opening, isFollowing]);

  useResized(pane, () => keep());

  useEffect(() => {
    const shown = pane.current;
    if (marked === null || !shown) return;
    const row = rowFrom(shown, marked);
    if (row && seqOf(row) === marked) bring(shown, row, shown.clientHeight / 3);
    else jump(marked);
  }, [marked, jump]);

  function onScroll(): void {
    const shown = pane.current;
    if (!shown || Math.abs(shown.scrollTop - putAt.current) < 1) return;
    const isAtEnd = belowOf(shown) < (shown.scrollTop > putAt.current ? atEndPx : 2);
    putAt.current = shown.scrollTop;
    setShowsEnd(held?.isToEnd === true && belowOf(shown) < atEndPx);
    hold(isAtEnd && held?.isToEnd ? 'end' : (anchorOf(shown) ?? 'end'));
    fill(shown, log);
  }
  const toEnd = (): void => (held?.isToEnd ? hold('end') : jump('end'));
  const newCount = isFollowing ? 0 : Math.max(0, liveCount - leftAt);
  return { pane, isFollowing, showsEnd, newCount, onScroll, toEnd };
}

function fill(shown: HTMLElement, { earlier, later }: RunLog): void {
  if (shown.scrollTop < nearPx) earlier();
  if (belowOf(shown) < nearPx) later();
}

function putTo(shown: HTMLElement, at: Anchor): void {
  if (at === 'end') {
    shown.scrollTop = shown.scrollHeight;
    return;
  }
  const row = rowFrom(shown, at.seq);
  // If the line takes less height now, a part of it must stay visible.
  if (row) shown.scrollTop = row.offsetTop - Math.max(at.offset, rowPx - row.offsetHeight);
}

/**
 * Calls `changed` when rows change their height. Rows that become visible may be higher than estimated. All rows change
 * when the pane changes its width, or when wrapping is switched on or off.
 */
function useResized(pane: RefObject<HTMLElement | null>, changed: () => void): void {
  const onResize = useEffectEvent(changed);
  useEffect(() => {
    const shown = pane.current;
    const lines = shown?.firstElementChild;
    if (!shown || !lines) return undefined;
    const watch = new ResizeObserver(() => onResize());
    watch.observe(shown);
    watch.observe(lines);
    return () => watch.disconnect();
  }, [pane]);
}

function belowOf({ scrollHeight, scrollTop, clientHeight }: HTMLElement): number {
  return scrollHeight - scrollTop - clientHeight;
}

function seqOf(row: HTMLElement): number {
  return Number(row.dataset.seq);
}

/**
 * Returns the row of this line. If the line is not held, returns the row of the next held line, or else the last row.
 */
function rowFrom(pane: HTMLElement, seq: number): HTMLElement | null {
  return firstRow(pane, (row) => seqOf(row) >= seq);
}

export function firstInSight(pane: HTMLElement): HTMLElement | null {
  return firstRow(pane, (row) => row.offsetTop + row.offsetHeight > pane.scrollTop);
}

/** Returns the first row that is far enough down, or else the last row, by binary search. */
function firstRow(pane: HTMLElement, isFarEnough: (row: HTMLElement) => boolean): HTMLElement | null {
  const rows = pane.firstElementChild?.children ?? [];
  let [low, high] = [0, rows.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    const row = rows[middle];
    if (row instanceof HTMLElement && isFarEnough(row)) high = middle;
    else low = middle + 1;
  }
  const row = rows[low];
  return row instanceof HTMLElement ? row : null;
}

function anchorOf(pane: HTMLElement): Anchor | null {
  const row = firstInSight(pane);
  return row && { seq: seqOf(row), offset: row.offsetTop - pane.scrollTop };
}
