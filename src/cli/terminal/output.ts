// What a command prints: data on standard output, everything else on standard error; for people where a terminal shows it,
// in a form that stays the same where a program reads it.

import { styleText } from 'node:util';
import { awayWords } from '../../client/took.ts';
import type { Options } from '../command.ts';
import type { Column, PlainCell, Style } from './table-text.ts';
import { forTerminal } from './terminal-text.ts';

export type Output = {
  readonly isJson: boolean;
  readonly isQuiet: boolean;
  readonly isVerbose: boolean;
  /** Standard output is a terminal, and it is people's form that is asked for. */
  readonly isForPeople: boolean;
  /** Columns of the terminal; Infinity where there is none. */
  readonly width: number;
  /** Data: an object a line. */
  readonly json: (value: unknown) => void;
  /** Data, as it is. */
  readonly text: (text: string) => void;
  /** A line besides the data; `--quiet` leaves it out. */
  readonly say: (line: string) => void;
  /** A line besides the data that `--quiet` does not leave out. */
  readonly warn: (line: string) => void;
  readonly table: (columns: readonly Column[], rows: readonly (readonly Cell[])[]) => Promise<void>;
  /** What one thing is, a line each; those with nothing to say are left out. */
  readonly fields: (rows: readonly (readonly [name: string, value: Cell])[]) => void;
  /** A time as people read it: `3m ago`; for programs as it is. */
  readonly time: (timestamp: string | null) => string;
  readonly paint: (style: Style, text: string) => string;
};

type Cell = string | { readonly text: string; readonly style: Style };

/** Whatever is in it, a terminal gets no more of it than lines and their colours. */
function out(text: string): void {
  const isColoured = mayColour();
  const lines = process.stdout.isTTY ? text.split('\n').map((line) => forTerminal(line, isColoured)) : [text];
  process.stdout.write(lines.join('\n'));
}

function err(line: string): void {
  process.stderr.write(`${forTerminal(line, process.stderr.isTTY && mayColour())}\n`);
}

/** JSON.stringify leaves DEL and the C1 controls as they are, which terminals obey too. */
function jsonText(value: unknown): string {
  const text = JSON.stringify(value);
  if (!process.stdout.isTTY) return text;
  return text.replaceAll(/\p{Cc}/gu, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const styles = { good: 'green', bad: 'red', busy: 'cyan', faint: 'dim', strong: 'bold' } as const;

export function createOutput(options: Options): Output {
  const isJson = options.has('json');
  const isQuiet = options.has('quiet');
  const isTerminal = process.stdout.isTTY ?? false;
  const isForPeople = isTerminal && !isJson;
  const isColoured = isForPeople && mayColour();
  const width = isForPeople ? process.stdout.columns || 80 : Infinity;
  const paint = (style: Style, text: string): string => (isColoured ? colour(style, text) : text);
  return {
    isJson,
    isQuiet,
    isVerbose: options.has('verbose'),
    isForPeople,
    width,
    json: (value) => process.stdout.write(`${jsonText(value)}\n`),
    text: out,
    say: (line) => {
      if (!isQuiet) err(line);
    },
    warn: err,
    async table(columns, rows) {
      // How wide a text is takes half as long to load as Node.
      const { tableText } = await import('./table-text.ts');
      const cells = rows.map((row) => row.map(toCell));
      out(tableText(columns, cells, { width, paint }));
    },
    fields: (rows) => out(fieldsText(rows, paint)),
    time: (timestamp) => {
      if (timestamp === null) return '-';
      return isForPeople ? awayWords(Date.parse(timestamp) - Date.now()) : timestamp;
    },
    paint,
  };
}

/** NO_COLOR as https://no-color.org has it. */
export function mayColour(): boolean {
  return !process.env.NO_COLOR && process.env.TERM !== 'dumb';
}

function colour(style: Style, text: string): string {
  return styleText(styles[style], text, { validateStream: false });
}

/** Names and messages may come from elsewhere: no control character of theirs reaches the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (found) => (found === '\t' ? ' ' : '\uFFFD'));
}

function fieldsText(rows: readonly (readonly [string, Cell])[], paint: Output['paint']): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows
    .map(([name, value]) => ({ name, ...toCell(value) }))
    .filter(({ text }) => text !== '' && text !== '-')
    .map(({ name, text, style }) => `${paint('faint', name.padEnd(width))}  ${style ? paint(style, text) : text}\n`)
    .join('');
}

function toCell(cell: Cell): PlainCell {
  return typeof cell === 'string'
    ? { text: printable(cell), style: null }
    : { text: printable(cell.text), style: cell.style };
}
