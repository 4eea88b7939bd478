// The lines of a log, and the keys that move through them.

import type { KeyboardEvent, MouseEvent, ReactNode } from 'react';
import { LogLineRow } from './LogLineRow.tsx';
import { firstInSight, useLogScroll } from './log-scroll.ts';
import type { RunLog } from './run-log.ts';

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
  const { pane, isFollowing, newCount, onScroll, toEnd } = useLogScroll(log, marked);
  const onClick = (event: MouseEvent<HTMLElement>): void => {
    const seq = event.target instanceof HTMLElement ? event.target.dataset.line : undefined;
    if (seq === undefined || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    o.chooseLine(Number(seq));
  };
  const onKeyDown = (event: KeyboardEvent<HTMLElement>): void => {
    if (event.key === 'End') toEnd();
    else if (event.key === 'Home') log.jump('first');
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
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
        tabIndex={0}
        onScroll={onScroll}
        onClick={onClick}
        onKeyDown={onKeyDown}
      >
        <div className="lines">
          {log.held?.lines.map((line) => (
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
      {log.held && !isFollowing && (
        <button type="button" className="to-end" onClick={toEnd}>
          ↓ {newCount > 0 ? `${newCount.toLocaleString('en')} new ${newCount === 1 ? 'line' : 'lines'}` : 'to the end'}
        </button>
      )}
    </div>
  );
}

/** Enter moves the focus to the number of the first visible line, and the arrows move it from number to number. */
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
