// Writes the jobs that were found in another scheduler, each into a new or empty folder. It does not change jobs of an
// earlier import. A crash leaves no half-written job.

import { lstatSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
import { asOwner, type Owner, otherOwner } from '../../lib/files/as-owner.ts';
import { exclusively } from '../../lib/files/exclusively.ts';
import { exitCodes, Refusal } from '../exit-code.ts';
import { fileTrouble } from '../file-trouble.ts';
import { scriptText } from './called-script.ts';
import type { CommandNeeds } from './command-needs.ts';
import { earlierForms, earlierNote } from './earlier-forms.ts';
import { type Found, type FoundJob, type FoundNothing, jobsStartedBy, type Origin } from './found-job.ts';
import { type Draft, draftJob, needsOfJob, type RunAs } from './job-draft.ts';
import { keyOf, type Recorded, readRecords } from './record.ts';
import { createCopySearch } from './script-copies.ts';
import { isSecretValue, withoutSecrets } from './secret-text.ts';

export type Imported =
  | {
      readonly kind: 'written';
      readonly found: FoundJob;
      readonly dir: string;
      readonly draft: Draft;
      /** The folder of an earlier job that this job may replace. */
      readonly earlier: string | undefined;
    }
  | { readonly kind: 'known'; readonly found: FoundJob; readonly dir: string }
  | { readonly kind: 'nothing'; readonly found: Pick<FoundNothing, 'origin'>; readonly obstacles: readonly string[] };

type Place = {
  /** The folder below which jobs are written. */
  readonly target: string;
  /** The folders in which earlier imports may have written jobs. */
  readonly roots: readonly string[];
  /** Lines that a takeover has turned into comments. They are still in the crontab. */
  readonly kept: readonly Origin[];
  readonly runAs: (user: string | null) => RunAs;
  /** flwd's own files and folders, to which no job may write. */
  readonly own: readonly string[];
  /** The id that a job in this folder has. */
  readonly idOf: (dir: string) => string;
};

const mostNameCharacters = 60;
const longestWaitMs = 30_000;
const stagePrefix = '.flwd-import-';
const lockFile = '.flwd-import.lock';

/** Returns one answer for each thing found, in the same order. @throws Refusal */
export async function writeJobs(found: readonly Found[], place: Place): Promise<Imported[]> {
  const { target } = place;
  try {
    mkdirSync(target, { recursive: true, mode: 0o700 });
    const owner = otherOwner(target);
    const written = await exclusively(join(target, lockFile), { waitMs: longestWaitMs, owner }, async () => {
      const stage = asOwner(owner, () => makeStage(target));
      try {
        return await writeFrom(stage, found, { ...place, owner });
      } finally {
        asOwner(owner, () => removeStage(stage));
      }
    });
    if (written) return written;
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    throw new Refusal(`cannot write jobs to ${target}: ${fileTrouble(error)}`);
  }
  throw new Refusal(`another import is writing to ${target}: wait until it is done`, exitCodes.refused);
}

function makeStage(target: string): string {
  // An import that was killed has left its temporary folder.
  for (const name of readdirSync(target)) if (name.startsWith(stagePrefix)) removeStage(join(target, name));
  return mkdtempSync(join(target, stagePrefix));
}

function removeStage(stage: string): void {
  rmSync(stage, { recursive: true, force: true });
}

type Drafted =
  | Imported
  | { readonly kind: 'drafted'; readonly found: FoundJob; readonly dir: string; readonly draft: Draft };

async function writeFrom(
  stage: string,
  found: readonly Found[],
  place: Place & { readonly owner: Owner | undefined },
): Promise<Imported[]> {
  const { target, owner } = place;
  const recorded = place.roots.flatMap(readRecords);
  const known = new Map(recorded.map(({ dir, record }) => [keyOf(record), dir]));
  const kept = place.kept.map((origin) => keyFor({ origin }));
  const earlier = earlierForms(found, recorded, { keyOf: keyFor, folderOf: wantedFolder, kept });
  const storedName = createStoredNames(found, recorded);
  const copiesOf = createCopySearch(place.roots);
  const folders = foldersFor(found, target, known);
  const jobId = (name: string): string => place.idOf(folders.get(found.find((one) => isJob(one, name))) ?? target);
  const needsOf = new Map(
    found.flatMap((one) => (one.kind === 'job' ? [[one, needsOfJob(one, place.own)] as const] : [])),
  );
  const drafted = found.map((one, at): Drafted => {
    if (one.kind === 'nothing') return { kind: 'nothing', found: one, obstacles: [...new Set(one.obstacles)] };
    const key = keyFor(one);
    const knownDir = known.get(key);
    if (knownDir !== undefined) return { kind: 'known', found: one, dir: knownDir };
    const dir = folders.get(one) ?? target;
    const folder = relative(target, dir);
    const needs = needsOf.get(one) ?? needsOfJob(one, place.own);
    const before = earlier.get(one);
    const lockNotes = sharedLockNotes(one, needsOf, folders);
    const notes = [
      ...(before === undefined ? [] : [earlierNote(before, shownPath(before.dir))]),
      ...copyNotes(one, { dir, scripts: needs.scripts, copiesOf }),
      ...lockNotes,
    ];
    const title = `${one.name}${folder.slice(wantedFolder(one.name).length)}`;
    const runAs = place.runAs(one.user);
    const obstacles: string[] = [];
    const draft = draftJob(one, {
      title,
      folder,
      runAs,
      storedName,
      jobId,
      needs,
      isLockShared: lockNotes.length > 0,
      notes,
      obstacles,
    });
    if (obstacles.length > 0) return { kind: 'nothing', found: one, obstacles: [...new Set(obstacles)] };
    // Two identical lines become one job.
    known.set(key, dir);
    asOwner(owner, () => writeDraft(join(stage, `job-${at}`), draft));
    return { kind: 'drafted', found: one, dir, draft };
  });
  const errors = await errorsIn(stage);
  const checked = drafted.map((one, at): Drafted => {
    const obstacles = errors.get(`job-${at}`);
    return one.kind === 'drafted' && obstacles !== undefined ? { kind: 'nothing', found: one.found, obstacles } : one;
  });
  return withoutCallers(checked).map((one, at): Imported => {
    if (one.kind !== 'drafted') return one;
    const { found: job, dir, draft } = one;
    return asOwner(owner, () => moveInto(join(stage, `job-${at}`), dir))
      ? { kind: 'written', found: job, dir, draft, earlier: earlier.get(job)?.dir }
      : { kind: 'nothing', found: job, obstacles: [`${dir} was created by somebody else just now: import again`] };
  });
}

function isJob(one: Found, name: string): one is FoundJob {
  return one.kind === 'job' && one.name === name;
}

function keyFor({ origin }: Pick<Found, 'origin'>): string {
  return keyOf({ ...origin, text: withoutSecrets(origin.text) });
}

/** @param o.dir the folder of the new job */
function copyNotes(
  { origin }: FoundJob,
  o: { readonly dir: string; readonly scripts: readonly string[]; readonly copiesOf: (script: string) => string[] },
): string[] {
  const start =
    origin.kind === 'crontab' ? 'remove the line from the crontab' : 'disable the job in the other scheduler';
  return o.scripts.flatMap((script) =>
    o.copiesOf(script).map((other) => {
      const kept = shownPath(other);
      return (
        `${kept} already runs a copy of ${script}: keep one of the two jobs. To keep ${kept}, write the schedule into its ` +
        `config.yaml, delete ${shownPath(o.dir)}, and ${start}`
      );
    }),
  );
}

/** Several jobs can share a lock, but a concurrency limit of flwd applies to one job only. */
function sharedLockNotes(
  job: FoundJob,
  needsOf: ReadonlyMap<FoundJob, CommandNeeds>,
  folders: ReadonlyMap<Found | undefined, string>,
): string[] {
  const file = lockFileOf(needsOf.get(job));
  const others = [...needsOf].flatMap(([other, needs]) =>
    file !== undefined && lockFileOf(needs) === file && keyFor(other) !== keyFor(job)
      ? [shownPath(folders.get(other) ?? '')]
      : [],
  );
  if (others.length === 0) return [];
  return [
    `${others.join(' and ')} ${others.length === 1 ? 'takes' : 'take'} the same lock, and \`concurrency\` limits each job ` +
      'alone: if they must not run at the same time, make them steps of one job',
  ];
}

/** On most hosts, /var/lock and /var/run lead to /run/lock and /run. */
function lockFileOf(needs: CommandNeeds | undefined): string | undefined {
  return needs?.lock?.file?.replace(/^\/var\/run\//, '/run/').replace(/^\/var\/lock\//, '/run/lock/');
}

/** Chooses each job's folder: a new one, or that of an earlier import. */
function foldersFor(
  found: readonly Found[],
  target: string,
  known: ReadonlyMap<string, string>,
): Map<Found | undefined, string> {
  const taken = new Set<string>();
  const folders = new Map<Found | undefined, string>();
  for (const one of found) {
    if (one.kind === 'nothing') continue;
    const before = known.get(keyFor(one));
    const folder = before === undefined ? freeFolder(one.name, target, taken) : undefined;
    if (folder !== undefined) taken.add(folder);
    folders.set(one, before ?? join(target, folder ?? ''));
  }
  return folders;
}

/** Leaves out a job if one of its steps runs another job that is not imported. */
function withoutCallers(drafted: readonly Drafted[]): readonly Drafted[] {
  const isThere = (name: string): boolean => drafted.some((one) => one.kind !== 'nothing' && one.found.name === name);
  const left = drafted.map((one): Drafted => {
    if (one.kind !== 'drafted') return one;
    const missing = [...new Set(jobsStartedBy(one.found))].filter((name) => !isThere(name));
    const obstacles = missing.map((name) => `it runs the job ${name}, which was not imported`);
    return obstacles.length > 0 ? { kind: 'nothing', found: one.found, obstacles } : one;
  });
  return left.every((one, at) => one === drafted[at]) ? left : withoutCallers(left);
}

/**
 * Names the stored secrets of crontabs: `crontab-of-ada-pgpassword`, or `certs-token` for `/etc/cron.d/certs`. Lines
 * of a crontab share its variables. If a crontab sets a variable to several values, each value gets a name of its own.
 */
function createStoredNames(found: readonly Found[], recorded: readonly Recorded[]) {
  const valuesOf = new Map<string, string[]>();
  const places = new Map<string, string>();
  const isOfOther = (name: string, place: string): boolean =>
    (places.get(name) ?? place) !== place ||
    recorded.some(
      ({ dir, record }) =>
        record.kind === 'crontab' && record.place !== place && secretsIn(join(dir, 'config.yaml')).has(name),
    );
  const nameOf = (place: string, variable: string, value: string): string => {
    const names = prefixesOf(place).map((prefix) => `${prefix}-${variable.toLowerCase()}`);
    const name = names.find((one) => !isOfOther(one, place)) ?? names.at(-1) ?? '';
    places.set(name, place);
    const values = valuesOf.get(name) ?? [];
    if (!values.includes(value)) values.push(value);
    valuesOf.set(name, values);
    const at = values.indexOf(value);
    return at === 0 ? name : `${name}-${at + 1}`;
  };
  // Jobs of an earlier import count, too, so that a new line gets the same names as the lines around it.
  for (const one of found) {
    if (one.kind !== 'job' || one.origin.kind !== 'crontab') continue;
    for (const [name, value] of Object.entries(one.environment))
      if (isSecretValue(name, value)) nameOf(one.origin.place, name, value);
  }
  return nameOf;
}

/** The name of the file alone, then with one folder above it, with two, and so on, up to the whole path. */
function prefixesOf(place: string): string[] {
  const parts = place
    .replace(/^the /, '')
    .split('/')
    .map(segmentOf)
    .filter((part) => part !== '');
  return parts.map((_, at) => parts.slice(-1 - at).join('-'));
}

/** The names of the stored secrets that a job uses. */
function secretsIn(config: string): Set<string> {
  return new Set([...(scriptText(config) ?? '').matchAll(/^\s*secret: (\S+)$/gm)].map(([, name = '']) => name));
}

function writeDraft(dir: string, { files }: Draft): void {
  mkdirSync(dir, { mode: 0o700 });
  for (const { name, text, mode } of files) writeFileSync(join(dir, name), text, { mode, flag: 'wx' });
}

/** Finds the errors of each invalid job. */
async function errorsIn(stage: string): Promise<Map<string, readonly string[]>> {
  const { readJobFolder } = await import('../../sources.ts');
  const { invalid } = await readJobFolder(stage, '.');
  return new Map(
    invalid.map(({ path, errors }) => [
      path,
      errors.map(({ line, message }) => `flwd cannot run it: config.yaml:${line} ${message}`),
    ]),
  );
}

/** Returns false if a file or a folder with content has appeared at `dir` meanwhile. */
function moveInto(from: string, dir: string): boolean {
  mkdirSync(dirname(dir), { recursive: true, mode: 0o700 });
  try {
    // Replaces an empty folder, and nothing else.
    renameSync(from, dir);
    return true;
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(errorCode(error) ?? '')) return false;
    throw error;
  }
}

/** Names a job's folder after the job. A name with slashes gives folders in folders. */
function wantedFolder(name: string): string {
  const segments = name
    .split('/')
    .map(segmentOf)
    .filter((segment) => segment !== '');
  return segments.length === 0 ? 'job' : segments.join('/');
}

/** Finds a folder that is new or empty, named after the job. */
function freeFolder(name: string, target: string, taken: ReadonlySet<string>): string {
  const wanted = wantedFolder(name);
  let folder = wanted;
  for (let n = 2; taken.has(folder) || !isFree(join(target, folder)); n++) folder = `${wanted}-${n}`;
  return folder;
}

function segmentOf(name: string): string {
  return name
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, mostNameCharacters)
    .replace(/[-.]+$/, '');
}

function isFree(dir: string): boolean {
  const stat = lstatSync(dir, { throwIfNoEntry: false });
  return stat === undefined || (stat.isDirectory() && readdirSync(dir).length === 0);
}

/** Returns the path of a folder as the user would type it. */
export function shownPath(dir: string): string {
  const path = relative(process.cwd(), dir);
  return path === '' || path.startsWith('..') ? dir : path;
}
