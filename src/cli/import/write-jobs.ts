// Writes the jobs that were found in another scheduler, each into a new or empty folder. What an earlier import wrote
// is left alone, and a crash leaves no half of a job.

import { lstatSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
import { exclusively } from '../../lib/files/exclusively.ts';
import { exitCodes, Refusal } from '../exit-code.ts';
import { fileTrouble } from '../file-trouble.ts';
import type { Found, FoundJob, FoundNothing } from './found-job.ts';
import { type Draft, draftJob, type RunAs } from './job-draft.ts';
import { keyOf, readRecords } from './record.ts';
import { withoutSecrets } from './secret-text.ts';

export type Imported =
  | { readonly kind: 'written'; readonly found: FoundJob; readonly dir: string; readonly draft: Draft }
  | { readonly kind: 'known'; readonly found: FoundJob; readonly dir: string }
  | { readonly kind: 'nothing'; readonly found: Pick<FoundNothing, 'origin'>; readonly reason: string };

type Place = {
  /** The folder below which jobs are written. */
  readonly target: string;
  /** The folders in which earlier imports may have written jobs. */
  readonly roots: readonly string[];
  readonly runAs: (user: string | null) => RunAs;
};

const mostNameCharacters = 60;
const longestWaitMs = 30_000;
const stagePrefix = '.flwd-import-';

/** One answer for each thing found, in the same order. @throws Refusal */
export async function writeJobs(found: readonly Found[], place: Place): Promise<Imported[]> {
  const { target } = place;
  try {
    mkdirSync(target, { recursive: true, mode: 0o700 });
    const written = await exclusively(join(target, '.flwd-import.lock'), longestWaitMs, async () => {
      for (const name of readdirSync(target)) if (name.startsWith(stagePrefix)) removeStage(join(target, name));
      const stage = mkdtempSync(join(target, stagePrefix));
      try {
        return await writeFrom(stage, found, place);
      } finally {
        removeStage(stage);
      }
    });
    if (written) return written;
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    throw new Refusal(`cannot write jobs to ${target}: ${fileTrouble(error)}`);
  }
  throw new Refusal(`another import is writing to ${target}: wait until it is done`, exitCodes.refused);
}

/** An import that was killed leaves one. */
function removeStage(stage: string): void {
  rmSync(stage, { recursive: true, force: true });
}

type Drafted =
  | Imported
  | { readonly kind: 'drafted'; readonly found: FoundJob; readonly folder: string; readonly draft: Draft };

async function writeFrom(stage: string, found: readonly Found[], place: Place): Promise<Imported[]> {
  const { target } = place;
  const known = new Map(place.roots.flatMap(readRecords).map(({ dir, record }) => [keyOf(record), dir]));
  const taken = new Set<string>();
  const storedName = createStoredNames();
  const drafted = found.map((one, at): Drafted => {
    if (one.kind === 'nothing') return { kind: 'nothing', found: one, reason: one.reason };
    const key = keyOf({ ...one.origin, text: withoutSecrets(one.origin.text) });
    const before = known.get(key);
    if (before !== undefined) return { kind: 'known', found: one, dir: before };
    const folder = freeFolder(one.name, target, taken);
    const draft = draftJob(one, { folder, runAs: place.runAs(one.user), storedName });
    if ('problem' in draft) return { kind: 'nothing', found: one, reason: draft.problem };
    taken.add(folder);
    // The same line twice is one job.
    known.set(key, join(target, folder));
    writeDraft(join(stage, `job-${at}`), draft);
    return { kind: 'drafted', found: one, folder, draft };
  });
  const errors = await errorsIn(stage);
  return drafted.map((one, at): Imported => {
    if (one.kind !== 'drafted') return one;
    const { found, folder, draft } = one;
    const error = errors.get(`job-${at}`);
    if (error !== undefined) return { kind: 'nothing', found, reason: `flwd cannot run it: ${error}` };
    const dir = join(target, folder);
    return moveInto(join(stage, `job-${at}`), dir)
      ? { kind: 'written', found, dir, draft }
      : { kind: 'nothing', found, reason: `${dir} was created by somebody else just now: import again` };
  });
}

/** `crontab-of-ada-pgpassword`: a variable that changes its value further down is another secret. */
function createStoredNames(): (place: string, variable: string, value: string) => string {
  const valuesOf = new Map<string, string[]>();
  return (place, variable, value) => {
    const name = `${segmentOf(place.replace(/^the /, ''))}-${variable.toLowerCase()}`;
    const values = valuesOf.get(name) ?? [];
    if (!values.includes(value)) values.push(value);
    valuesOf.set(name, values);
    const at = values.indexOf(value);
    return at === 0 ? name : `${name}-${at + 1}`;
  };
}

function writeDraft(dir: string, { files }: Draft): void {
  mkdirSync(dir, { mode: 0o700 });
  for (const { name, text, mode } of files) writeFileSync(join(dir, name), text, { mode, flag: 'wx' });
}

/** The first error of each invalid job. */
async function errorsIn(stage: string): Promise<Map<string, string>> {
  const { readJobFolder } = await import('../../sources.ts');
  const { invalid } = await readJobFolder(stage, '.');
  return new Map(
    invalid.map(({ path, errors: [first] }) => [
      path,
      first ? `config.yaml:${first.line} ${first.message}` : 'it is invalid',
    ]),
  );
}

/** False if there is something at `dir` meanwhile. */
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

/** A folder that is new or empty, named after the job. A name with slashes gives folders in folders. */
function freeFolder(name: string, target: string, taken: ReadonlySet<string>): string {
  const segments = name
    .split('/')
    .map(segmentOf)
    .filter((segment) => segment !== '');
  const wanted = segments.length === 0 ? 'job' : segments.join('/');
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

/** A folder as the user would type it. */
export function shownPath(dir: string): string {
  const path = relative(process.cwd(), dir);
  return path === '' || path.startsWith('..') ? dir : path;
}
