// `flwd jobs`: lists the jobs, or shows one.

import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { createOutput, type Output } from '../terminal/output.ts';
import { type JobList, type KnownJobs, withJobs } from './known-jobs.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const output = createOutput(options);
  const one = (name: string) => options.get(name)?.[0];
  return withJobs(options, async (jobs) => {
    if (operands.length > 0) {
      const { findJob } = await import('./find-job.ts');
      const job = await findJob(jobs, operands, false);
      if (output.isJson) output.json(job);
      else output.text((await import('./job-help.ts')).jobHelp(job, output));
      return exitCodes.done;
    }
    const [source, prefix, tag, q] = [one('source'), one('prefix'), one('tag'), one('search')];
    const list = await jobs.list({
      ...(source !== undefined && { source }),
      ...(prefix !== undefined && { prefix }),
      ...(tag !== undefined && { tag }),
      ...(q !== undefined && { q }),
    });
    if (output.isJson) output.json(list);
    else await printJobs(list, output);
    if (!output.isJson && list.jobs.length + list.invalid.length === 0)
      output.say(
        [source, prefix, tag, q].every((by) => by === undefined) ? await noJobs(jobs, options) : 'no jobs match',
      );
    return exitCodes.done;
  });
}

async function noJobs({ server, command }: KnownJobs, options: Options): Promise<string> {
  const at = await server?.();
  if (at) return `the server at ${at} has no jobs; ${command('sources')} shows where it looks for them`;
  const { sources } = loadConfiguration(options).config;
  const where = sources.map(({ path }) => path).join(', ');
  return `no jobs${where && ` in ${where}`}; ${command('init', 'jobs/hello')} creates one`;
}

async function printJobs({ jobs, invalid }: JobList, output: Output): Promise<void> {
  if (jobs.length > 0) {
    const rows = jobs.map(({ id, enabled, composition, source, title, description }) => [
      id,
      enabled ? composition : { text: 'disabled', style: 'faint' as const },
      source,
      title ?? description ?? '',
    ]);
    await output.table(
      [{ name: 'JOB' }, { name: 'KIND' }, { name: 'SOURCE' }, { name: 'ABOUT', isFlexible: true }],
      rows,
    );
  }
  for (const { id, errors } of invalid) {
    for (const { file, line, column, message } of errors)
      output.warn(`${output.paint('bad', `${id} is broken`)}: ${file}:${line}:${column} ${message}`);
  }
}
