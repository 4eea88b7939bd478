// `flwd help`: the table of commands, as text.

import { findCommand, groupOf } from './command-line.ts';
import { type Command, commands, type Option, type Options } from './commands.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';

export function run(_options: Options, operands: readonly string[]): ExitCode {
  process.stdout.write(textOf(operands));
  return exitCodes.done;
}

function textOf(operands: readonly string[]): string {
  const [first] = operands;
  if (first === undefined) return overview();
  const group = operands.length === 1 ? groupOf(first) : [];
  return group.length > 0 ? groupHelp(first, group) : commandHelp(findCommand(operands).command);
}

function groupHelp(word: string, group: readonly Command[]): string {
  const rows = group.map(({ name, operands, about }): Row => [operands ? `${name} ${operands}` : name, about]);
  return `Usage: flwd ${word} COMMAND [OPTIONS]\n\n${table(rows)}\nAll of a command: flwd ${word} COMMAND --help\n`;
}

function overview(): string {
  const rows = commands.map(({ name, operands, about }): Row => [operands ? `${name} ${operands}` : name, about]);
  return `flwd turns scripts into jobs and serves them through one API.

Usage: flwd COMMAND [OPTIONS]     (flwd :COMMAND is the same)

${table(rows)}
All of a command: flwd COMMAND --help
`;
}

function commandHelp({ name, about, options, operands }: Command): string {
  const usage = ['flwd', name, operands, options.length > 0 ? '[OPTIONS]' : ''].filter(Boolean).join(' ');
  const rows = options.map((option): Row => [written(option), option.about]);
  return `Usage: ${usage}\n\n${about[0]?.toUpperCase()}${about.slice(1)}.\n${rows.length > 0 ? `\n${table(rows)}` : ''}`;
}

function written({ name, value }: Option): string {
  return value ? `--${name} ${value}` : `--${name}`;
}

type Row = readonly [string, string];

function table(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('');
}
