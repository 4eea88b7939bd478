// The lines of a log as they scroll: they stay where they are when anything about them grows, and follow the end where
// somebody looks at it.

import { type KeyboardEvent, type ReactNode, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { LogLineRow } from './LogLineRow.tsx';
import type { Opening, RunLog } from './run-log.ts';

/** What keeps its place in the pane: the end of the log, or a line so far below the pane's edge. */
type Anchor = 'end' | { readonly seq: number; readonly offset: number };

const nearPx = 1_500;
const atEndPx = 24;
const rowPx = 20;

export function LogLines(o: {
  readonly log: RunLog;
  readonly hrefOf: (seq: number) => string;
  readonly chooseLine: (seq: number) => void;
  readonly hasTime: boolean;
  readonly hasStep: boolean;
  readonly wraps: boolean;
  readonly search: string;
  readonly marked: number | null;
}): ReactNode {
  const { log, marked } = o;
  const { held, look, earlier, later, opening, liveCount } = log;
  const pane = useRef<HTMLDivElement>(null);
  const [isFollowing, setFollowing] = useState(opening.start === 'end');
  const anchor = useRef<Anchor>('end');
  /** Where it was put last: a scroll that finds it there was not the reader's. */
  const putAt = useRef(0);
  const placed = useRef<Opening | null>(null);
  const seenCount = useRef(0);
  if (isFollowing) seenCount.current = liveCount;

  const hold = useCallback(
    (next: Anchor) => {
      anchor.current = next;
      setFollowing(next === 'end');
      look(next === 'end' ? next : next.seq);
    },
    [look],
  );

  const fill = (shown: HTMLElement): void => {
    if (shown.scrollTop < nearPx) earlier();
    if (belowOf(shown) < nearPx) later();
  };

  const onScroll = (): void => {
    const shown = pane.current;
    if (!shown || Math.abs(shown.scrollTop - putAt.current) < 1) return;
    const isAtEnd = belowOf(shown) < (shown.scrollTop > putAt.current ? atEndPx : 2);
    putAt.current = shown.scrollTop;
    hold(isAtEnd && held?.isToEnd ? 'end' : (anchorOf(shown) ?? 'end'));
    fill(shown);
  };

  const keep = (): void => {
    const shown = pane.current;
    if (!shown) return;
    const at = anchor.current;
    if (at === 'end') shown.scrollTop = shown.scrollHeight;
    else {
      const row = rowFrom(shown, at.seq);
      // Of a line that is no longer as high, a part stays in sight.
      if (row) shown.scrollTop = row.offsetTop - Math.max(at.offset, rowPx - row.offsetHeight);
    }
    putAt.current = shown.scrollTop;
    fill(shown);
  };

  const bring = useCallback(
    (shown: HTMLElement, row: HTMLElement, offset: number) => {
      shown.scrollTop = row.offsetTop - offset;
      putAt.current = shown.scrollTop;
      hold({ seq: seqOf(row), offset: row.offsetTop - shown.scrollTop });
    },
    [hold],
  );

  useLayoutEffect(() => {
    const shown = pane.current;
    if (!shown || !held) return;
    // Once for each opening, when its lines are there.
    if (placed.current !== opening) {
      placed.current = opening;
      seenCount.current = 0;
      const { start } = opening;
      const before = anchor.current;
      const row = start === 'end' ? null : rowFrom(shown, start === 'first' ? 0 : start);
      if (!row) hold('end');
      else if (start === 'first') bring(shown, row, row.offsetTop);
      else bring(shown, row, before !== 'end' && before.seq === start ? before.offset : shown.clientHeight / 3);
    }
    keep();
  }, [held, opening, isFollowing]);

  // Rows that come into sight turn out higher than was assumed; with the width of the pane, or its wrapping, all of them change.
  const latestKeep = useRef(keep);
  latestKeep.current = keep;
  useEffect(() => {
    const shown = pane.current;
    const lines = shown?.firstElementChild;
    if (!shown || !lines) return undefined;
    const watch = new ResizeObserver(() => latestKeep.current());
    watch.observe(shown);
    watch.observe(lines);
    return () => watch.disconnect();
  }, []);

  const { jump } = log;
  useEffect(() => {
    const shown = pane.current;
    if (marked === null || !shown) return;
    const row = rowFrom(shown, marked);
    if (row && seqOf(row) === marked) bring(shown, row, shown.clientHeight / 3);
    else jump(marked);
  }, [marked, bring, jump]);

  const newCount = Math.max(0, liveCount - seenCount.current);
  const toEnd = (): void => (held?.isToEnd ? hold('end') : jump('end'));
  const onKeyDown = (event: KeyboardEvent<HTMLElement>): void => {
    if (event.key === 'End') toEnd();
    else if (event.key === 'Home') jump('first');
    else if (!moveToLink(event)) return;
    event.preventDefault();
  };
  return (
    <div className="log-frame">
      <div
        ref={pane}
        className={o.wraps ? 'log log-wraps' : 'log'}
        role="log"
        aria-live="off"
        aria-label="Log"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
        tabIndex={0}
        onScroll={onScroll}
        onClick={(event) => {
          const seq = event.target instanceof HTMLElement ? event.target.dataset.line : undefined;
          if (seq === undefined || event.ctrlKey || event.metaKey || event.shiftKey) return;
          event.preventDefault();
          o.chooseLine(Number(seq));
        }}
        onKeyDown={onKeyDown}
      >
        <div className="lines">
          {held?.lines.map((line) => (
            <LogLineRow
              key={line.seq}
              line={line}
              href={o.hrefOf(line.seq)}
              hasTime={o.hasTime}
              hasStep={o.hasStep}
              search={o.search}
              isMarked={line.seq === marked}
            />
          ))}
        </div>
      </div>
      {held && !isFollowing && (
        <button type="button" className="to-end" onClick={toEnd}>
          ↓ {newCount > 0 ? `${newCount.toLocaleString('en')} new ${newCount === 1 ? 'line' : 'lines'}` : 'to the end'}
        </button>
      )}
    </div>
  );
}

/** Enter leads from the log to the number of the first line in sight, the arrows from number to number. */
function moveToLink(event: KeyboardEvent<HTMLElement>): boolean {
  const { currentTarget: pane, target, key } = event;
  const row = target instanceof HTMLElement ? target.closest('.line') : null;
  let next: Element | null | undefined = null;
  if (key === 'Enter' && !row) next = firstInSight(pane);
  else if (key === 'ArrowUp') next = row?.previousElementSibling;
  else if (key === 'ArrowDown') next = row?.nextElementSibling;
  const link = next?.querySelector<HTMLElement>('.number');
  link?.focus();
  return link !== null && link !== undefined;
}

function belowOf({ scrollHeight, scrollTop, clientHeight }: HTMLElement): number {
  return scrollHeight - scrollTop - clientHeight;
}

function seqOf(row: HTMLElement): number {
  return Number(row.dataset.seq);
}

/** The row of this line, or what is held of those behind it; the last where there is none. */
function rowFrom(pane: HTMLElement, seq: number): HTMLElement | null {
  return firstRow(pane, (row) => seqOf(row) >= seq);
}

function firstInSight(pane: HTMLElement): HTMLElement | null {
  return firstRow(pane, (row) => row.offsetTop + row.offsetHeight > pane.scrollTop);
}

/** Of rows that are in order, the first that is far enough; else the last. */
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
