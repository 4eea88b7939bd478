// `flwd help`: prints the table of commands, one command, or the arguments of a job.

import type { Command, Option, Options } from './command.ts';
import { findCommand, groupOf } from './command-line.ts';
import { commandSections } from './commands.ts';
import { createOutput } from './terminal/output.ts';

export async function run(options: Options, operands: readonly string[]): Promise<void> {
  createOutput(options).text(await textOf(options, operands));
}

async function textOf(options: Options, operands: readonly string[]): Promise<string> {
  const [first] = operands;
  if (first === undefined) return overview();
  const group = operands.length === 1 ? groupOf(first) : [];
  if (group.length > 0) return groupHelp(first, group);
  const { command, rest, isImplicit } = findCommand(operands);
  if (!(command.argumentsOf === 'job' || command.isLikelyNamespace) || rest.length === 0) return commandHelp(command);
  const [{ findJob, isKnownJob }, { withJobs }, { jobHelp }] = await Promise.all([
    import('./job/find-job.ts'),
    import('./job/known-jobs.ts'),
    import('./job/job-help.ts'),
  ]);
  return withJobs(options, async (jobs) => {
    if (command.isLikelyNamespace && !(await isKnownJob(jobs, operands))) return commandHelp(command);
    const isBare = isImplicit || command.isLikelyNamespace === true;
    const job = await findJob(jobs, command.isLikelyNamespace ? operands : rest, isImplicit);
    return jobHelp(job, createOutput(options), isBare ? undefined : command.name);
  });
}

function groupHelp(word: string, group: readonly Command[]): string {
  return `Usage: flwd ${word} COMMAND [OPTIONS]\n\n${table(group.map(rowOf))}\nOptions of a command: flwd ${word} COMMAND --help\n`;
}

function overview(): string {
  const sections = commandSections.map(([title, commands]) => `${title}\n${table(commands.map(rowOf))}`);
  return `flwd turns scripts into jobs and serves them through one API.

Usage: flwd COMMAND [OPTIONS]     (flwd :COMMAND is the same)
       flwd JOB [ARGUMENTS]       (flwd backup/daily, or flwd backup daily)

First steps: flwd init jobs/hello makes a job. flwd serve prints an address: open it in the browser to see the job.

${sections.join('\n')}
Options of a command: flwd COMMAND --help. Arguments of a job: flwd JOB --help.
`;
}

function rowOf({ name, operands, about }: Command): Row {
  return [operands ? `${name} ${operands}` : name, about];
}

function commandHelp(command: Command): string {
  const { options, examples } = command;
  const parts = [`Usage: ${usageOf(command)}\n`, `${sentenceOf(command)}\n`];
  if (options.length > 0) parts.push(table(options.map((option): Row => [written(option), option.about])));
  if (examples) parts.push(`Examples:\n${examples.map((line) => `  ${line}\n`).join('')}`);
  return parts.join('\n');
}

export function usageOf({ name, operands, options }: Command): string {
  return ['flwd', name, operands, options.length > 0 ? '[OPTIONS]' : ''].filter(Boolean).join(' ');
}

export function sentenceOf({ about }: Pick<Command, 'about'>): string {
  return `${about[0]?.toUpperCase()}${about.slice(1)}.`;
}

/** Returns an option as the user types it: `--follow, -f`, `--tail N`. */
export function written({ name, short, value }: Option): string {
  return `--${name}${short ? `, -${short}` : ''}${value ? ` ${value}` : ''}`;
}

type Row = readonly [string, string];

function table(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('');
}
