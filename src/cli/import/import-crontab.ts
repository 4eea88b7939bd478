// `flwd import crontab`: the lines of a crontab become jobs.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
import { ownUserName } from '../../lib/files/own-user.ts';
import { hostTimezone } from '../../lib/timezone.ts';
import type { Options } from '../command.ts';
import { exitCodes, Refusal } from '../exit-code.ts';
import { fileTrouble } from '../file-trouble.ts';
import { ownName } from '../own-name.ts';
import { takenLines } from '../takeover/cron-table.ts';
import { jobOfLine, type Table } from './crontab-job.ts';
import { readTable } from './crontab-table.ts';
import { standardInput } from './earlier-forms.ts';
import type { Origin } from './found-job.ts';
import { readHostUsers } from './host-users.ts';
import { importJobs } from './import-jobs.ts';

type Source = { readonly text: Buffer; readonly place: string; readonly user: string; readonly hasUser: boolean };

const mostBytes = 2 ** 20;
export const systemTable = '/etc/crontab';
export const systemFolder = '/etc/cron.d';
/** cron ignores files with other names, such as `certs.bak`. */
const systemName = /^[\w-]+$/;
const spools = /^\/var\/spool\/cron(?:\/crontabs|\/tabs)?$/;

export async function run(options: Options, operands: readonly string[]): Promise<void> {
  const [file, extra] = operands;
  if (extra !== undefined) throw new Refusal(`unexpected word \`${extra}\`: ${ownName} import crontab [FILE|-]`);
  const sources = file === undefined && options.has('system') ? readSystem() : [readOne(file, options.has('system'))];
  const users = readHostUsers();
  const timezone = hostTimezone();
  const found = sources.flatMap(({ text, place, user, hasUser }) => {
    const table: Table = { place, user, timezone, homeOf: (name) => users.get(name)?.home ?? null };
    return readTable(text, { hasUser }).map((line) => jobOfLine(line, table));
  });
  const kept = sources.flatMap(({ text, place }) =>
    takenLines(text).map((one): Origin => ({ kind: 'crontab', place, line: one.line, text: one.text.trim() })),
  );
  return importJobs(found, options, kept);
}

function readOne(file: string | undefined, isSystem: boolean): Source {
  const user = ownUserName();
  if (file === undefined) return { text: readCrontab(user), place: placeOfUser(user), user, hasUser: false };
  if (file === '-') return { text: readBounded(0, standardInput), place: standardInput, user, hasUser: isSystem };
  const path = realPath(file);
  const text = readBounded(path, file);
  // A file in cron's own folder is the crontab of the user after whom it is named. Only root can read such a file.
  if (spools.test(dirname(path)))
    return { text, place: placeOfUser(basename(path)), user: basename(path), hasUser: false };
  return { text, place: path, user, hasUser: isSystem || path === systemTable || dirname(path) === systemFolder };
}

/** Reads `/etc/crontab` and all files of `/etc/cron.d`. */
function readSystem(): Source[] {
  const user = ownUserName();
  const names = statSync(systemFolder, { throwIfNoEntry: false }) ? readdirSync(systemFolder) : [];
  const paths = [
    ...(statSync(systemTable, { throwIfNoEntry: false }) ? [systemTable] : []),
    ...names
      .filter((name) => systemName.test(name))
      .toSorted()
      .map((name) => join(systemFolder, name)),
  ];
  if (paths.length === 0) throw new Refusal(`there is neither ${systemTable} nor a file in ${systemFolder}`);
  return paths.map((path) => ({ text: readBounded(path, path), place: path, user, hasUser: true }));
}

export function placeOfUser(user: string): string {
  return `the crontab of ${user}`;
}

/** @throws Refusal */
function readCrontab(user: string): Buffer {
  const { error, status, stdout, stderr } = spawnSync('crontab', ['-l'], {
    maxBuffer: 2 * mostBytes,
    env: { PATH: process.env.PATH, LC_ALL: 'C' },
  });
  if (errorCode(error) === 'ENOENT')
    throw new Refusal(`there is no program crontab on this machine: name a file, as in ${ownName} import crontab FILE`);
  if (error) throw new Refusal(`cannot run crontab -l: ${fileTrouble(error)}`);
  if (status === 0) return stdout;
  const said = stderr.toString().trim().split('\n')[0] ?? '';
  if (said.startsWith('no crontab for'))
    throw new Refusal(
      `${user} has no crontab: name a file, or --system for ${systemTable} and ${systemFolder}`,
      exitCodes.notFound,
    );
  throw new Refusal(`crontab -l failed: ${said}`);
}

/** @throws Refusal */
function readBounded(path: string | number, name: string): Buffer {
  try {
    const stat = typeof path === 'string' ? statSync(path) : undefined;
    if (stat && !stat.isFile() && !stat.isFIFO()) throw new Refusal(`${name} is not a file`);
    if (stat && stat.size > mostBytes)
      throw new Refusal(`${name} is larger than 1 MiB, which is too large for a crontab`);
    const text = readFileSync(path);
    if (text.length > mostBytes) throw new Refusal(`${name} is larger than 1 MiB, which is too large for a crontab`);
    return text;
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(`cannot read ${name}: ${fileTrouble(error)}`);
  }
}

function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch (error) {
    throw new Refusal(`cannot read ${file}: ${fileTrouble(error)}`);
  }
}
