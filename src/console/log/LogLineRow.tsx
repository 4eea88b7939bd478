// One line of a log.

import { memo, type ReactNode } from 'react';
import type { LogLine } from '../../domain/log-line.ts';
import { clockTime, countWords, fullTime } from '../words.ts';
import { type Piece, toPieces, writtenLast } from './ansi.ts';
import styles from './Log.module.css';

/**
 * Why a line is marked. `error`: the line belongs to the error that is shown. `line`: the URL names the line, or a
 * search has found it.
 */
export type LineMark = 'error' | 'line';

/** How many characters of a line are shown. A line may be 64 KiB long. */
const mostShown = 8_000;

export const LogLineRow = memo(function LogLineRow(o: {
  readonly line: LogLine;
  readonly href: string;
  readonly hasTime: boolean;
  readonly hasStep: boolean;
  /** The text to highlight; empty: there is no search. */
  readonly search: string;
  readonly mark: LineMark | null;
}): ReactNode {
  const { line } = o;
  // A match may be in a part of the line that later output overwrote, so during a search the whole line is shown.
  const text = o.search === '' ? writtenLast(line.message) : line.message;
  return (
    <div className={styles.line} data-seq={line.seq} data-level={line.level} data-mark={o.mark ?? undefined}>
      <a
        className={styles.number}
        href={o.href}
        tabIndex={-1}
        aria-label={`Link to line ${line.seq}`}
        data-line={line.seq}
      >
        {countWords(line.seq)}
      </a>
      {o.hasTime && <At line={line} />}
      {o.hasStep && (
        <span className={styles.of} data-step={line.step_id}>
          {line.step_id}
        </span>
      )}
      {line.level !== 'info' && <span className="unseen">{line.level}: </span>}
      <span className={styles.text}>
        {toPieces(text.slice(0, mostShown)).map((piece, index) => drawn(piece, index, o.search))}
        {text.length > mostShown && (
          <span className={styles.quiet}>
            … {countWords(text.length - mostShown)} more characters; download the log to see them
          </span>
        )}
        {line.fields && <span className={styles.quiet}> {JSON.stringify(line.fields)}</span>}
      </span>
    </div>
  );
});

/** Shows the time of a line. Like `flwd logs`, marks a line that was printed while no server was running. */
function At({ line: { timestamp, recovered } }: { readonly line: LogLine }): ReactNode {
  const time = fullTime(timestamp);
  const title = recovered ? `Printed while no server was running; the server read it at ${time}` : time;
  return (
    <time className={styles.at} dateTime={timestamp} title={title}>
      {recovered && <span className={styles.recovered}>~</span>}
      {clockTime(timestamp)}
    </time>
  );
}

function drawn(piece: Piece, index: number, search: string): ReactNode {
  const { text, colour, background } = piece;
  const classes = piece.classes.map((name) => styles[name]).join(' ');
  const content = search === '' ? text : marked(text, search);
  if (classes === '' && colour === null && background === null) return content;
  return (
    <span
      key={index}
      {...(classes !== '' && { className: classes })}
      style={{ ...(colour !== null && { color: colour }), ...(background !== null && { background }) }}
    >
      {content}
    </span>
  );
}

function marked(text: string, search: string): ReactNode[] {
  const parts: ReactNode[] = [];
  const lower = text.toLowerCase();
  const wanted = search.toLowerCase();
  let at = 0;
  for (let found = lower.indexOf(wanted); found >= 0; found = lower.indexOf(wanted, at)) {
    parts.push(text.slice(at, found), <mark key={found}>{text.slice(found, found + wanted.length)}</mark>);
    at = found + wanted.length;
  }
  return [...parts, text.slice(at)];
}
