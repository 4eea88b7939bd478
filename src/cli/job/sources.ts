// `flwd sources`: the sources of jobs, and how many jobs each has. Without a server, flwd reads them as they are now.

import type { Client } from '../../client/client.ts';
import { type SourceUse, useWords } from '../../client/source-use.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { useOf } from '../../domain/policy.ts';
import { holdsScope } from '../../domain/principal.ts';
import { folderTrouble } from '../../lib/files/readable-folder.ts';
import type { Options } from '../command.ts';
import { hint } from '../command-line.ts';
import { exitCodes, Refusal } from '../exit-code.ts';
import { oneOperand } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { isOfThisMachine, openServedSession, type Session } from '../session/session.ts';
import { createOutput, flexible, type Output, right } from '../terminal/output.ts';
import { type JobList, withJobs } from './known-jobs.ts';

type Source = AnswerOf<'getSystemInfo'>['sources'][number] & {
  /** null: the source is trusted. Left out if the caller lacks the scope `sources:read`. */
  readonly may_use?: SourceUse | null;
  readonly is_missing?: boolean;
};

export async function list(options: Options): Promise<void> {
  const output = createOutput(options);
  const { sources, command } = await countedSources(options);
  if (output.isJson) output.json({ sources });
  else await printSources(sources, output, command);
}

/** `flwd sources get SOURCE`: shows one source. */
export async function get(options: Options, operands: readonly string[]): Promise<void> {
  const name = oneOperand(operands, `${ownName} sources get SOURCE; ${ownName} sources lists the sources`);
  const output = createOutput(options);
  const { sources } = await countedSources(options);
  const source = sources.find((one) => one.name === name);
  if (!source) {
    const names = sources.map((one) => one.name);
    const near = hint(name, names) ?? `; ${ownName} sources lists the sources`;
    throw new Refusal(`there is no source \`${name}\`${near}`, exitCodes.notFound);
  }
  if (output.isJson) output.json(source);
  else {
    const rows = Object.entries({
      name,
      type: source.type,
      path: source.path,
      jobs: source.jobs,
      broken: source.invalid,
      ...(source.is_missing && {
        problem: 'its folder is missing or cannot be read, so its jobs cannot run',
      }),
      trusted: trustWords(source),
    });
    for (const [key, value] of rows) if (value !== undefined) output.text(`${key.padEnd(9)}${value}\n`);
  }
}

/** `flwd sources reload [SOURCE]`: makes the server read its sources again. */
export async function reload(options: Options, operands: readonly string[]): Promise<void> {
  const name = operands.length === 0 ? undefined : oneOperand(operands, `${ownName} sources reload [SOURCE]`);
  const output = createOutput(options);
  const session = await openServedSession(options);
  if (!session) return output.say('no server is running, so every command reads the sources itself');
  try {
    const { client, command } = session;
    const all = name === undefined ? (await client.call('listSources')).sources.map((source) => source.name) : [name];
    const sources = [];
    for (const one of all) sources.push(await client.call('syncSource', { path: { name: one } }));
    if (output.isJson) output.json({ sources });
    else await printSources(sources, output, command);
    const added = isOfThisMachine(options) && name === undefined ? namedSources(options) : [];
    const unknown = added.filter((one) => !all.includes(one));
    if (unknown.length > 0) output.say(`restart the server to add the new sources of flwd.yaml: ${unknown.join(', ')}`);
  } finally {
    await session.close();
  }
}

/** The sources of the server, or else of the configuration, with the numbers of their jobs. */
function countedSources(options: Options) {
  return withJobs(options, async (jobs, session) => {
    const sources = session ? await servedSources(session.client) : ownSources(options);
    const list = await jobs.list({});
    return { sources: sources.map((source) => ({ ...source, ...countsOf(source, list) })), command: jobs.command };
  });
}

async function servedSources(client: Client): Promise<readonly Source[]> {
  const { sources, caller } = await client.call('getSystemInfo');
  if (!holdsScope(caller, 'sources:read')) return sources;
  const found = new Map((await client.call('listSources')).sources.map((one) => [one.name, one]));
  return sources.map((source) => {
    const { may_use = null, is_missing = false } = found.get(source.name) ?? {};
    return { ...source, may_use, is_missing };
  });
}

/** Returns the sources that flwd.yaml or `--jobs` names. The server need not have the default source. */
function namedSources(options: Options): string[] {
  const { sources } = loadConfiguration(options).config;
  return sources.filter(({ isDefault }) => !isDefault).map(({ name }) => name);
}

function ownSources(options: Options): Source[] {
  const { sources } = loadConfiguration(options).config;
  return sources.map((source) => {
    const { name, type, path, trusted } = source;
    return { name, type, path, trusted, may_use: useOf(source), is_missing: folderTrouble(path) !== undefined };
  });
}

function countsOf({ name }: Source, { jobs, invalid }: JobList) {
  const countIn = (all: readonly { readonly source: string }[]): number =>
    all.filter(({ source }) => source === name).length;
  return { jobs: countIn(jobs), invalid: countIn(invalid) };
}

/** "yes", or "no; may use schedules". */
function trustWords({ trusted, may_use: use }: Pick<Source, 'trusted' | 'may_use'>): string {
  if (trusted) return 'yes';
  return use ? `no; may use ${useWords(use)}` : 'no';
}

async function printSources(
  sources: readonly (Source & ReturnType<typeof countsOf>)[],
  output: Output,
  command: Session['command'],
): Promise<void> {
  if (sources.length === 0) return output.say('no sources');
  await output.table(
    ['SOURCE', 'TYPE', flexible('WHERE'), right('JOBS'), right('BROKEN'), flexible('TRUSTED')],
    sources.map(({ name, type, path = '', jobs, invalid, is_missing, ...trust }) => [
      name,
      type,
      path,
      is_missing ? { text: 'missing', style: 'bad' as const } : String(jobs),
      { text: String(invalid), style: invalid > 0 ? 'bad' : 'faint' },
      trustWords(trust),
    ]),
  );
  if (sources.some(({ invalid }) => invalid > 0)) output.say(`${command('jobs')} shows what is wrong with them`);
}
