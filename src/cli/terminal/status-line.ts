// One line at the bottom of a terminal that says how it goes. What is printed meanwhile scrolls by above it.

import stringWidth from 'string-width';
import { mayColour } from './output.ts';
import { fit } from './table-text.ts';
import { forTerminal } from './terminal-text.ts';

export type StatusLine = {
  /** In place of what it says now. */
  readonly show: (text: string) => void;
  /** Prints lines above it. */
  readonly above: (print: () => void) => void;
  readonly close: () => void;
};

/** Where standard error is no terminal it is nowhere. */
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
    terminal.write(stringWidth(text) > width ? fit(text, width) : text);
  };
  return {
    show(next) {
      clear();
      // It may hold what a job says of its progress.
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
