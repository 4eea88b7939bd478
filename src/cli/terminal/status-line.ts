// One line at the bottom of a terminal that shows progress. Other output scrolls by above it.

import { mayColour } from './output.ts';
import { fit } from './table-text.ts';
import { forTerminal } from './terminal-text.ts';
import { textWidth } from './text-width.ts';

export type StatusLine = {
  /** False if nobody sees the status line. */
  readonly isShown: boolean;
  /** Replaces the text. */
  readonly show: (text: string) => void;
  /** Prints lines above the status line. */
  readonly above: (print: () => void) => void;
  readonly close: () => void;
};

/** Shows nothing if standard error is not a terminal. */
export function createStatusLine(isWanted: boolean): StatusLine {
  const terminal = process.stderr;
  const isShown = isWanted && terminal.isTTY;
  let text = '';
  const clear = (): void => {
    if (isShown && text !== '') terminal.write('\r\u001B[K');
  };
  const draw = (): void => {
    if (!isShown || text === '') return;
    const width = (terminal.columns || 80) - 1;
    terminal.write(textWidth(text) > width ? fit(text, width) : text);
  };
  return {
    isShown,
    show(next) {
      clear();
      // The text may contain a progress message of the job.
      text = forTerminal(next, mayColour());
      draw();
    },
    above(print) {
      clear();
      print();
      draw();
    },
    close() {
      clear();
      text = '';
    },
  };
}
