// The end of every `flwd import` command: chooses the folder, writes the jobs that were found, prints the report.

import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import type { Config } from '../../config/config.ts';
import { ownUserName } from '../../lib/files/own-user.ts';
import type { Options } from '../command.ts';
import { Refusal } from '../exit-code.ts';
import { commandText } from '../session/command-text.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { openTable } from '../takeover/cron-table.ts';
import { createOutput, type Output } from '../terminal/output.ts';
import type { Found, Origin } from './found-job.ts';
import { readHostUsers } from './host-users.ts';
import type { RunAs } from './job-draft.ts';
import { printReport } from './report.ts';
import { type Imported, shownPath, writeJobs } from './write-jobs.ts';

/** @param kept lines that a takeover has commented out. @throws Refusal */
export async function importJobs(
  found: readonly Found[],
  options: Options,
  kept: readonly Origin[] = [],
): Promise<void> {
  const output = createOutput(options);
  const { config, file } = loadConfiguration(options);
  const target = targetOf(options, config);
  const roots = [...new Set([target, ...config.sources.map(({ path }) => path)])];
  const results = await writeJobs(found, {
    target,
    roots,
    kept,
    runAs: runAsOf(config, target),
    own: [config.instance.dataDir, ...(file === null ? [] : [resolve(file)])],
    idOf: (dir) => idOf(dir, target, options),
  });
  printReport(results, { options, output });
  sayOutcome(results, options, output);
  if (results.some(({ kind }) => kind === 'written')) warnOutside(target, config, output);
}

/**
 * Loads the configuration again. If it names no source, the folder `jobs` becomes the default source as soon as the
 * import has created it. A target outside of all sources counts as a source.
 */
function idOf(dir: string, target: string, options: Options): string {
  const { sources } = loadConfiguration(options).config;
  const source = sources.find(({ path }) => dir.startsWith(`${path}/`));
  const path = relative(source?.path ?? target, dir);
  return source && source.mountPath !== '.' ? `${source.mountPath}/${path}` : path;
}

/** `--to`, or the first source that this user can write to, or can create. @throws Refusal */
function targetOf(options: Options, { sources }: Config): string {
  const [to] = options.get('to') ?? [];
  if (to !== undefined) return resolve(to);
  const source = sources.find(({ path }) => isWritable(path)) ?? sources.find(({ path }) => isCreatable(path));
  if (source) return source.path === process.cwd() ? join(source.path, 'jobs') : source.path;
  const names = sources.map(({ displayPath }) => displayPath).join(', ');
  throw new Refusal(`you cannot write to any source of jobs (${names}): name a folder with --to DIR`);
}

function isCreatable(path: string): boolean {
  return !existsSync(path) && isWritable(dirname(path));
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Compares the user of a job in the other scheduler with the user of the job in flwd. In flwd, a job usually runs as
 * the user who imported it. If root imports, the server may belong to another user. Jobs of root's own server run as
 * nobody, or as `run_as` says.
 */
function runAsOf({ security }: Config, target: string): (user: string | null) => RunAs {
  const uid = process.getuid?.() ?? 0;
  const { uid: owner } = statSync(target, { throwIfNoEntry: false }) ?? { uid };
  const isRootsServer = uid === 0 && owner === 0;
  const ofServer = uid === 0 ? [...readHostUsers()].find(([, one]) => one.uid === owner)?.[0] : ownUserName();
  const own = isRootsServer ? 'nobody' : ofServer;
  return (user) => {
    if (user === null || user === own) return undefined;
    return isRootsServer && security.runAs.includes(user) ? { user } : { lost: `ran as ${user}` };
  };
}

function sayOutcome(results: readonly Imported[], options: Options, output: Output): void {
  const count = (kind: Imported['kind']) => results.filter((result) => result.kind === kind).length;
  const [written, known, left] = [count('written'), count('known'), count('nothing')];
  const parts = [
    ...(written > 0 || known + left === 0 ? [`${written} ${written === 1 ? 'job' : 'jobs'} imported`] : []),
    ...(known > 0 ? [`${known} imported before`] : []),
    ...(left > 0 ? [`${left} not imported`] : []),
  ];
  output.say(parts.join(', '));
  const replacing = results.filter((one) => one.kind === 'written' && one.earlier !== undefined).length;
  if (replacing > 0)
    output.say(
      `${replacing} of them may replace ${replacing === 1 ? 'a job' : 'jobs'} of an earlier import: see ${replacing === 1 ? 'its note' : 'their notes'}`,
    );
  const fresh = results.filter(({ kind }) => kind === 'written');
  if (fresh.some(({ found }) => openTable(found.origin.place) !== undefined)) {
    output.say('New schedules are held, and cron still runs the lines.');
    const [run, serve, takeover] = [['run', 'JOB'], ['serve'], ['takeover']].map((words) =>
      commandText(options, ...words),
    );
    output.say(`next: check each job (${run}), start the server (${serve}), then let flwd run the lines (${takeover})`);
  } else if (written > 0) {
    const release = commandText(options, 'schedules', 'release', 'SCHEDULE');
    output.say(`New schedules are held: nothing starts before you release them (${release}).`);
  }
}

function warnOutside(target: string, { sources }: Config, output: Output): void {
  if (!sources.some(({ path }) => `${target}/`.startsWith(`${path}/`)))
    output.warn(
      `${shownPath(target)} is in none of the configured sources: add it to flwd.yaml, or name it with --jobs`,
    );
}
