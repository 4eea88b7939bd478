// Prints for a command: data on standard output, everything else on standard error. At a terminal the text is meant for
// people; in a pipe it has a form that scripts can rely on.

import { once } from 'node:events';
import { styleText } from 'node:util';
import { awayWords } from '../../client/took.ts';
import type { Options } from '../command.ts';
import type { Column, PlainCell, Style } from './table-text.ts';
import { forTerminal } from './terminal-text.ts';

export type Output = {
  readonly isJson: boolean;
  readonly isQuiet: boolean;
  readonly isVerbose: boolean;
  /** Standard output is a terminal, and --json is not set. */
  readonly isForPeople: boolean;
  /** The number of columns of the terminal; Infinity if there is no terminal. */
  readonly width: number;
  /** Prints data as one line of JSON. */
  readonly json: (value: unknown) => void;
  /** Prints JSON texts, each on its own line. */
  readonly jsonTexts: (texts: readonly string[]) => void;
  /** Prints data unchanged. */
  readonly text: (text: string) => void;
  /** Prints a line to standard error, unless --quiet is set. */
  readonly say: (line: string) => void;
  /** Prints a line to standard error, even with --quiet. */
  readonly warn: (line: string) => void;
  readonly table: (columns: readonly (string | Column)[], rows: readonly (readonly Cell[])[]) => Promise<void>;
  /** Prints the fields of one object, each on its own line. Empty fields are left out. */
  readonly fields: (rows: readonly (readonly [name: string, value: Cell])[]) => void;
  /** Writes a time for people, such as `3 min ago`. For scripts, it stays as it is. */
  readonly time: (timestamp: string | null) => string;
  readonly paint: (style: Style, text: string) => string;
};

type Cell = string | { readonly text: string; readonly style: Style };

/** A terminal receives only lines and their colours, whatever the text contains. */
function out(text: string): void {
  const isColoured = mayColour();
  const lines = process.stdout.isTTY ? text.split('\n').map((line) => forTerminal(line, isColoured)) : [text];
  process.stdout.write(lines.join('\n'));
}

function err(line: string): void {
  process.stderr.write(`${forTerminal(line, process.stderr.isTTY && mayColour())}\n`);
}

/** JSON may contain DEL and the C1 control characters unescaped, and terminals obey them. */
function printableJson(text: string): string {
  if (!process.stdout.isTTY) return text;
  return text.replaceAll(/\p{Cc}/gu, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function jsonTexts(texts: readonly string[]): void {
  process.stdout.write(texts.map((text) => `${printableJson(text)}\n`).join(''));
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
    json: (value) => jsonTexts([JSON.stringify(value)]),
    jsonTexts,
    text: out,
    say: (line) => {
      if (!isQuiet) err(line);
    },
    warn: err,
    async table(columns, rows) {
      // Loaded late: the code that measures the width of text takes half as long to load as Node itself.
      const { tableText } = await import('./table-text.ts');
      const cells = rows.map((row) => row.map(toCell));
      out(tableText(columns.map(toColumn), cells, { width, paint, hasHeading: !isQuiet }));
    },
    fields: (rows) => out(fieldsText(rows, paint)),
    time: (timestamp) => {
      if (timestamp === null) return '-';
      return isForPeople ? awayWords(Date.parse(timestamp) - Date.now()) : timestamp;
    },
    paint,
  };
}

/**
 * Waits for a slow reader of standard output, because Node keeps in memory whatever has not been read. Ends early if
 * the reader has ended or the signal is aborted.
 */
export function outputTaken(signal?: AbortSignal): Promise<void> | undefined {
  if (!process.stdout.writableNeedDrain || signal?.aborted) return undefined;
  return once(process.stdout, 'drain', signal ? { signal } : {}).then(
    () => undefined,
    () => undefined,
  );
}

/** A column that a narrow terminal may cut. */
export function flexible(name: string): Column {
  return { name, isFlexible: true };
}

/** A column of numbers. */
export function right(name: string): Column {
  return { name, isRight: true };
}

function toColumn(column: string | Column): Column {
  return typeof column === 'string' ? { name: column } : column;
}

/** Follows https://no-color.org. */
export function mayColour(): boolean {
  return !process.env.NO_COLOR && process.env.TERM !== 'dumb';
}

function colour(style: Style, text: string): string {
  return styleText(styles[style], text, { validateStream: false });
}

/** Names and messages may come from others, so their control characters are replaced. */
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
