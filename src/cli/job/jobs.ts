// `flwd jobs`: lists the jobs, or shows one.

import { defined } from '../../lib/defined.ts';
import type { Options } from '../command.ts';
import { readValue } from '../option-values.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { createOutput, flexible, type Output } from '../terminal/output.ts';
import { type JobList, type KnownJobs, placed, withJobs } from './known-jobs.ts';

export async function run(options: Options, operands: readonly string[]): Promise<void> {
  const output = createOutput(options);
  return withJobs(options, async (jobs) => {
    if (operands.length > 0) {
      const { findJob } = await import('./find-job.ts');
      const job = await findJob(jobs, operands, false);
      if (output.isJson) output.json(job);
      else output.text((await import('./job-help.ts')).jobHelp(job, output));
      return;
    }
    const query = defined({
      source: readValue(options, 'source'),
      prefix: readValue(options, 'prefix'),
      tag: readValue(options, 'tag'),
      q: readValue(options, 'search'),
    });
    const list = await jobs.list(query);
    if (output.isJson) return output.json(list);
    await printJobs(list, output);
    if (list.jobs.length + list.invalid.length === 0)
      output.say(Object.keys(query).length === 0 ? await noJobs(jobs, options) : 'no jobs match');
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
    await output.table(['JOB', 'KIND', 'SOURCE', flexible('ABOUT')], rows);
  }
  for (const { id, errors } of invalid) {
    for (const error of errors) output.warn(`${output.paint('bad', `${id} is broken`)}: ${placed(error)}`);
  }
}
