// `flwd sources`: lists the sources of jobs and counts their jobs. Without a server, it reads the sources as they are
// now.

import type { Client } from '../../client/client.ts';
import { type SourceUse, useWords } from '../../client/source-use.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { useOf } from '../../domain/policy.ts';
import { holdsScope } from '../../domain/principal.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { loadConfiguration } from '../session/configuration.ts';
import type { Session } from '../session/session.ts';
import { createOutput, type Output } from '../terminal/output.ts';
import { type JobList, withJobs } from './known-jobs.ts';

type Source = AnswerOf<'getSystemInfo'>['sources'][number] & {
  /** null: it is trusted. Callers without the scope `sources:read` do not learn it. */
  readonly may_use?: SourceUse | null;
};

export async function run(options: Options): Promise<ExitCode> {
  const output = createOutput(options);
  const { sources, command } = await countedSources(options);
  if (output.isJson) output.json({ sources });
  else await printSources(sources, output, command);
  return exitCodes.done;
}

/** The sources of the server, or else of the configuration, with the numbers of their jobs. */
export function countedSources(options: Options) {
  return withJobs(options, async (jobs, session) => {
    const sources = session ? await servedSources(session.client) : ownSources(options);
    const list = await jobs.list({});
    return { sources: sources.map((source) => ({ ...source, ...countsOf(source, list) })), command: jobs.command };
  });
}

async function servedSources(client: Client): Promise<readonly Source[]> {
  const { sources, caller } = await client.call('getSystemInfo');
  if (!holdsScope(caller, 'sources:read')) return sources;
  const uses = new Map((await client.call('listSources')).sources.map((one) => [one.name, one.may_use]));
  return sources.map((source) => ({ ...source, may_use: uses.get(source.name) ?? null }));
}

export function ownSources(options: Options): Source[] {
  const { sources } = loadConfiguration(options).config;
  return sources.map((source) => {
    const { name, type, path, trusted } = source;
    return { name, type, path, trusted, may_use: useOf(source) };
  });
}

function countsOf({ name }: Source, { jobs, invalid }: JobList) {
  const countIn = (all: readonly { readonly source: string }[]): number =>
    all.filter(({ source }) => source === name).length;
  return { jobs: countIn(jobs), invalid: countIn(invalid) };
}

/** "yes", or "no; may use schedules". */
export function trustWords({ trusted, may_use: use }: Pick<Source, 'trusted' | 'may_use'>): string {
  if (trusted) return 'yes';
  return use ? `no; may use ${useWords(use)}` : 'no';
}

export async function printSources(
  sources: readonly (Source & ReturnType<typeof countsOf>)[],
  output: Output,
  command: Session['command'],
): Promise<void> {
  if (sources.length === 0) {
    output.say('no sources');
    return;
  }
  await output.table(
    [
      { name: 'SOURCE' },
      { name: 'TYPE' },
      { name: 'WHERE', isFlexible: true },
      { name: 'JOBS', isRight: true },
      { name: 'BROKEN', isRight: true },
      { name: 'TRUSTED', isFlexible: true },
    ],
    sources.map(({ name, type, path = '', jobs, invalid, ...trust }) => [
      name,
      type,
      path,
      String(jobs),
      { text: String(invalid), style: invalid > 0 ? 'bad' : 'faint' },
      trustWords(trust),
    ]),
  );
  if (sources.some(({ invalid }) => invalid > 0)) output.say(`${command('jobs')} shows what is wrong with them`);
}
