// Shows a file with line numbers, which are links.

import { type KeyboardEvent, type MouseEvent, type ReactNode, useEffect, useMemo, useRef } from 'react';
import { lineOfClick, moveToLink } from '../log/line-links.ts';
import { countWords } from '../words.ts';
import styles from './Code.module.css';
import { codeText, highlighted } from './highlight.ts';

/** More lines would make the page slow. */
const mostLines = 5_000;

export function CodeLines(o: {
  readonly path: string;
  readonly text: string;
  readonly marked: number | null;
  readonly hrefOf: (line: number) => string;
  readonly choose: (line: number) => void;
}): ReactNode {
  const { path, text, marked } = o;
  const lines = useMemo(() => highlighted(path, text), [path, text]);
  const box = useRef<HTMLElement>(null);
  useEffect(() => {
    if (marked !== null) box.current?.querySelector(`[data-seq="${marked}"]`)?.scrollIntoView({ block: 'center' });
  }, [marked]);
  const onClick = (event: MouseEvent<HTMLElement>): void => {
    const line = lineOfClick(event);
    if (line !== null) o.choose(line);
  };
  if (text === '') return <p className={styles.note}>The file is empty.</p>;
  return (
    <>
      <section
        ref={box}
        aria-label={`Content of ${path}`}
        className={styles.lines}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
        tabIndex={0}
        onClick={onClick}
        onKeyDown={moveByKey}
      >
        <div className={styles.inner}>
          {lines.slice(0, mostLines).map((pieces, index) => {
            const number = index + 1;
            return (
              <div key={number} className={styles.line} data-seq={number} data-marked={number === marked || undefined}>
                <a
                  className={styles.number}
                  href={o.hrefOf(number)}
                  aria-label={`Link to line ${number}`}
                  data-line={number}
                  tabIndex={-1}
                >
                  {countWords(number)}
                </a>
                <code className={styles.text}>
                  {pieces.map((piece, at) =>
                    piece.look === null ? (
                      codeText(piece.text)
                    ) : (
                      <span key={at} className={styles[piece.look]}>
                        {codeText(piece.text)}
                      </span>
                    ),
                  )}
                </code>
              </div>
            );
          })}
        </div>
      </section>
      {lines.length > mostLines && (
        <p className={styles.note}>
          These are the first {countWords(mostLines)} of {countWords(lines.length)} lines. Download the file to see all.
        </p>
      )}
    </>
  );
}

function moveByKey(event: KeyboardEvent<HTMLElement>): void {
  if (moveToLink(event)) event.preventDefault();
}
