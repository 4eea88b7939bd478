// The lines of a log, and the keys that move through them.

import { ArrowDown } from 'lucide-react';
import { type CSSProperties, Fragment, type KeyboardEvent, type MouseEvent, type ReactNode } from 'react';
import type { LogLine } from '../../domain/log-line.ts';
import { Button } from '../design/controls/Button.tsx';
import { countWords } from '../words.ts';
import styles from './Log.module.css';
import { type LineMark, LogLineRow } from './LogLineRow.tsx';
import { lineOfClick, moveToLink } from './line-links.ts';
import { useLogScroll } from './log-scroll.ts';
import type { RunLog } from './run-log.ts';

/** The lines to mark. The log scrolls to the first of them. */
export type Marked = { readonly first: number; readonly last: number; readonly as: LineMark };

/** Something to show between two lines, such as the start of a sub-run. */
export type Between = { readonly key: string; readonly at: string; readonly content: ReactNode };

export type LogLook = { readonly hasTime: boolean; readonly hasStep: boolean; readonly wraps: boolean };

export function LogLines(o: {
  readonly log: RunLog;
  readonly hrefOf: (seq: number) => string;
  readonly chooseLine: (seq: number) => void;
  readonly look: LogLook;
  readonly search: string;
  readonly marked: Marked | null;
  /** Sorted by time. */
  readonly between: readonly Between[];
}): ReactNode {
  const { log, marked, look } = o;
  const { pane, isFollowing, showsEnd, newCount, onScroll, toEnd } = useLogScroll(log, marked?.first ?? null);
  const onClick = (event: MouseEvent<HTMLElement>): void => {
    const seq = lineOfClick(event);
    if (seq !== null) o.chooseLine(seq);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLElement>): void => {
    if (event.key === 'End') toEnd();
    else if (event.key === 'Home') log.jump('first');
    else if (!moveToLink(event)) return;
    event.preventDefault();
  };
  const lines = log.held?.lines ?? [];
  const before = placesOf(o.between, log);
  return (
    <div className={styles.frame}>
      <div
        ref={pane}
        className={styles.log}
        style={widthOf(lines)}
        data-wraps={look.wraps || undefined}
        role="log"
        aria-live="off"
        aria-label="Log"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
        tabIndex={0}
        onScroll={onScroll}
        onClick={onClick}
        onKeyDown={onKeyDown}
      >
        <div className={styles.lines}>
          {lines.map((line) => (
            <Fragment key={line.seq}>
              {before.get(line.seq)?.map((one) => (
                <div key={one.key} className={styles.subRun} data-seq={line.seq}>
                  {one.content}
                </div>
              ))}
              <LogLineRow
                line={line}
                href={o.hrefOf(line.seq)}
                hasTime={look.hasTime}
                hasStep={look.hasStep}
                search={o.search}
                mark={marked && line.seq >= marked.first && line.seq <= marked.last ? marked.as : null}
              />
            </Fragment>
          ))}
          {before.get(Number.POSITIVE_INFINITY)?.map((one) => (
            <div key={one.key} className={styles.subRun} data-seq={(lines.at(-1)?.seq ?? 0) + 1}>
              {one.content}
            </div>
          ))}
        </div>
      </div>
      {log.held && !isFollowing && !showsEnd && (
        <div className={styles.end}>
          <Button icon={ArrowDown} onClick={toEnd}>
            {newCount > 0 ? `${countWords(newCount)} new ${newCount === 1 ? 'line' : 'lines'}` : 'To the end'}
          </Button>
        </div>
      )}
    </div>
  );
}

/** As wide as the last number, so that the text of all lines begins in one column. */
function widthOf(lines: readonly LogLine[]): CSSProperties {
  const digits = countWords(lines.at(-1)?.seq ?? 0).length;
  const style: Record<string, string> = { '--number-width': `${Math.max(4, digits)}ch` };
  return style;
}

/**
 * What to show before each line. The keys are the numbers of the lines; `Infinity` stands for the end of the log.
 * Anything outside the held lines is left out.
 */
function placesOf(between: readonly Between[], { held }: RunLog): ReadonlyMap<number, readonly Between[]> {
  const [first] = held?.lines ?? [];
  if (between.length === 0 || !held || !first) return new Map();
  const shown = between.filter(({ at }) => held.isFromStart || Date.parse(at) >= Date.parse(first.timestamp));
  const places = Map.groupBy(shown, ({ at }) => {
    const next = held.lines.find(({ timestamp }) => Date.parse(timestamp) > Date.parse(at));
    return next?.seq ?? Number.POSITIVE_INFINITY;
  });
  if (!held.isToEnd) places.delete(Number.POSITIVE_INFINITY);
  return places;
}
