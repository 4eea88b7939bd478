// One line of a log.

import { memo, type ReactNode } from 'react';
import type { LogLine } from '../../domain/log-line.ts';
import { clockTime, fullTime } from '../words.ts';
import { type Piece, toPieces, writtenLast } from './ansi.ts';

/** A line may be 64 KiB long. */
const mostShown = 8_000;

export const LogLineRow = memo(function LogLineRow(o: {
  readonly line: LogLine;
  readonly href: string;
  readonly hasTime: boolean;
  readonly hasStep: boolean;
  /** The text to highlight; empty: there is no search. */
  readonly search: string;
  readonly isMarked: boolean;
}): ReactNode {
  const { line } = o;
  // A match may be in a part of the line that later output overwrote, so during a search the whole line is shown.
  const text = o.search === '' ? writtenLast(line.message) : line.message;
  return (
    <div className={`line level-${line.level}${o.isMarked ? ' line-marked' : ''}`} data-seq={line.seq}>
      <a className="number" href={o.href} tabIndex={-1} aria-label={`Link to line ${line.seq}`} data-line={line.seq}>
        {line.seq}
      </a>
      {o.hasTime && (
        <time className="at" dateTime={line.timestamp} title={fullTime(line.timestamp)}>
          {clockTime(line.timestamp)}
        </time>
      )}
      {o.hasStep && <span className="of">{line.step_id}</span>}
      {line.level !== 'info' && <span className="unseen">{line.level}: </span>}
      <span className="text">
        {toPieces(text.slice(0, mostShown)).map((piece, index) => drawn(piece, index, o.search))}
        {text.length > mostShown && (
          <span className="quiet">
            … {(text.length - mostShown).toLocaleString('en')} more characters; download the log to see them
          </span>
        )}
        {line.fields && <span className="quiet"> {JSON.stringify(line.fields)}</span>}
      </span>
    </div>
  );
});

function drawn(piece: Piece, index: number, search: string): ReactNode {
  const { text, classes, colour, background } = piece;
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
