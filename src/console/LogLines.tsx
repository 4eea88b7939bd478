// The lines of a log as they scroll: they stay where they are when some come before them, and follow the end where
// somebody looks at it.

import { type ReactNode, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { LogLineRow } from './LogLineRow.tsx';
import type { RunLog } from './run-log.ts';

type Anchor = { readonly seq: string; readonly offset: number };

const nearPx = 1_500;
const atEndPx = 24;

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
  const { held, follow, earlier, later, opening, liveCount } = log;
  const pane = useRef<HTMLDivElement>(null);
  const [isFollowing, setFollowing] = useState(opening.start === 'end');
  const anchor = useRef<Anchor | null>(null);
  const placed = useRef<unknown>(null);
  const seenCount = useRef(0);
  if (isFollowing) seenCount.current = liveCount;

  const onScroll = useCallback(() => {
    const shown = pane.current;
    if (!shown) return;
    const isAtEnd = shown.scrollHeight - shown.scrollTop - shown.clientHeight < atEndPx;
    setFollowing(isAtEnd && (held?.isToEnd ?? false));
    anchor.current = anchorOf(shown);
    if (shown.scrollTop < nearPx) earlier();
    if (shown.scrollHeight - shown.scrollTop - shown.clientHeight < nearPx) later();
  }, [held?.isToEnd, earlier, later]);

  useEffect(() => follow(isFollowing), [follow, isFollowing]);

  useLayoutEffect(() => {
    const shown = pane.current;
    if (!shown || !held) return;
    // Once for each opening, when its lines are there.
    if (placed.current !== opening) {
      placed.current = opening;
      seenCount.current = 0;
      const row = typeof opening.start === 'number' ? rowOf(shown, opening.start) : null;
      if (row) shown.scrollTop = row.offsetTop - shown.clientHeight / 3;
      else shown.scrollTop = opening.start === 'first' ? 0 : shown.scrollHeight;
      setFollowing(opening.start === 'end');
      anchor.current = anchorOf(shown);
      return;
    }
    if (isFollowing) shown.scrollTop = shown.scrollHeight;
    else if (anchor.current) {
      const row = rowOf(shown, Number(anchor.current.seq));
      if (row) shown.scrollTop = row.offsetTop - anchor.current.offset;
    }
  }, [held, opening, isFollowing]);

  const bring = useCallback(
    (seq: number) => {
      const shown = pane.current;
      const row = shown && rowOf(shown, seq);
      if (row) shown.scrollTop = row.offsetTop - shown.clientHeight / 3;
      else log.jump(seq);
    },
    [log.jump],
  );
  useEffect(() => {
    if (marked !== null) bring(marked);
  }, [marked, bring]);

  const newCount = Math.max(0, liveCount - seenCount.current);
  const toEnd = (): void => {
    if (!held?.isToEnd) {
      log.jump('end');
      return;
    }
    setFollowing(true);
    if (pane.current) pane.current.scrollTop = pane.current.scrollHeight;
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
        onKeyDown={(event) => {
          if (event.key === 'End') toEnd();
          else if (event.key === 'Home') log.jump('first');
          else return;
          event.preventDefault();
        }}
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

function rowOf(pane: HTMLElement, seq: number): HTMLElement | null {
  return pane.querySelector<HTMLElement>(`[data-seq="${seq}"]`);
}

/** The first line in sight, and where it stands. */
function anchorOf(pane: HTMLElement): Anchor | null {
  const rows = pane.firstElementChild?.children;
  if (!rows) return null;
  let [low, high] = [0, rows.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    const row = rows[middle];
    if (row instanceof HTMLElement && row.offsetTop + row.offsetHeight > pane.scrollTop) high = middle;
    else low = middle + 1;
  }
  const row = rows[low];
  return row instanceof HTMLElement ? { seq: row.dataset.seq ?? '', offset: row.offsetTop - pane.scrollTop } : null;
}
