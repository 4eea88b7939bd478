// The knowledge behind a Tab: one file per instance in the user's cache, so that an answer needs no catalog, no YAML
// and no server (ADR 0023). The index is only a hint. An index that another user could have written, or that has
// another shape, is ignored.
//
// The first line of the file is the length of the header. Then comes the header as JSON, and after it the arguments of
// each job, at the offset that the header names. A Tab reads the arguments of only one job, even if there are 5,000
// jobs.

import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { configPlaces } from '../../config/config-places.ts';
import type { Command, Option } from '../command.ts';

/** A word that can be typed, with its description. */
export type Named = readonly [value: string, about: string];
/** An argument of a job. */
export type KnownField = {
  /** The name as the user types it, without dashes: `keep.days`. */
  readonly name: string;
  readonly kind: 'switch' | 'secret' | 'path' | 'value';
  readonly choices: readonly string[];
  readonly isList: boolean;
  readonly about: string;
};
type KnownJob = {
  readonly id: string;
  readonly about: string;
  /** undefined: the arguments have not been read yet. */
  readonly fields: readonly KnownField[] | undefined;
};
/** The names of runs, schedules, tokens and so on. The names of jobs are in `jobs`. */
export type Names = Readonly<Record<(typeof nameKinds)[number], readonly Named[]>>;
export type Knowledge = {
  readonly commands: readonly Command[];
  /** Options that may come before any command. */
  readonly leading: readonly Option[];
  /** All jobs. An alias counts as a job of its own. */
  readonly jobs: readonly KnownJob[];
  readonly names: Names;
};

const nameKinds = ['runs', 'schedules', 'backfills', 'tokens', 'secrets', 'remotes', 'sources', 'tags'] as const;

type Header = {
  readonly identity: string;
  readonly builtAtMs: number;
  readonly tookMs: number;
  readonly configMtimeMs: number;
  readonly commands: readonly Command[];
  readonly leading: readonly Option[];
  /** Id, description, and the offset and size of its fields after the header; size 0 if the fields are not known. */
  readonly jobs: readonly (readonly [string, string, number, number])[];
  readonly names: Names;
};

export type Index = Pick<
  Header,
  'commands' | 'leading' | 'jobs' | 'names' | 'builtAtMs' | 'tookMs' | 'configMtimeMs'
> & {
  /** Reads the arguments of a job, which is given as its entry in `jobs`. */
  readonly fieldsOf: (job: Header['jobs'][number]) => readonly KnownField[] | undefined;
};

/** The options that select an instance. */
export type Selection = ReadonlyMap<string, readonly string[]>;

export type Place = {
  readonly path: string;
  /** The path of a file that exists while the index is being rebuilt. */
  readonly busyPath: string;
  readonly identity: string;
  /** The modification time of flwd.yaml; 0 if there is no such file. */
  readonly configMtimeMs: number;
};

const format = 1;
const mostBytes = 64 * 1024 * 1024;
/** Length of the first line with its newline. */
const lengthBytes = 12;

/** Returns undefined if the user has no cache folder. */
export function placeOf(selection: Selection): Place | undefined {
  const { env } = process;
  const cwd = process.cwd();
  const home = env.HOME ?? '';
  const cache = env.XDG_CACHE_HOME && isAbsolute(env.XDG_CACHE_HOME) ? env.XDG_CACHE_HOME : join(home, '.cache');
  if (!isAbsolute(cache)) return undefined;
  const given = selection.get('config')?.[0];
  const candidates = given === undefined ? configPlaces(cwd, home) : [resolve(cwd, given)];
  const config = candidates
    .map((path) => ({ path, stats: statSync(path, { throwIfNoEntry: false }) }))
    .find(({ stats }) => stats);
  const paths = ['data-dir', 'jobs'].map((name) => (selection.get(name) ?? []).map((path) => resolve(cwd, path)));
  const remote = selection.get('remote')?.[0] ?? (env.FLWD_REMOTE || env.FLOWD_REMOTE || '');
  // The values of these variables are part of the identity, because they set paths, which may be relative to the
  // current folder. Variables with secrets are left out, because the identity is written to the file.
  const variables = Object.keys(env)
    .filter((name) => /^FLO?WD_/.test(name) && !/SECRET|TOKEN|DATABASE|_REMOTE$/.test(name))
    .toSorted()
    .map((name) => `${name}=${env[name]}`);
  const from = config && variables.length === 0 ? '' : cwd;
  const identity = JSON.stringify([format, config?.path ?? '', from, remote, paths, variables]);
  const path = join(cache, 'flwd', `completion-${fingerprint(identity)}`);
  return {
    path,
    busyPath: `${path}.busy`,
    identity,
    configMtimeMs: config?.stats?.mtimeMs ?? 0,
  };
}

/**
 * Computes FNV-1a twice, for the name of the file. Two names may collide, so the identity inside the file decides.
 * Loading node:crypto would cost each Tab 3 ms.
 */
function fingerprint(text: string): string {
  const once = (start: number): string => {
    let hash = start;
    for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
    return (hash >>> 0).toString(16).padStart(8, '0');
  };
  return once(0x811c9dc5) + once(0x2f0b4c47);
}

/** Returns undefined if there is no index that can be trusted. */
export function readIndex(place: Place): Index | undefined {
  try {
    const content = readOwn(place.path);
    const length = Number(content?.toString('utf8', 0, lengthBytes));
    if (!content || !(length > 0)) return undefined;
    const end = lengthBytes + length;
    const header: unknown = JSON.parse(content.toString('utf8', lengthBytes, end));
    if (!isHeader(header) || header.identity !== place.identity) return undefined;
    return { ...header, fieldsOf: ([, , at, bytes]) => readFields(content.subarray(end + at, end + at + bytes)) };
  } catch {
    return undefined;
  }
}

/** Returns undefined if another user could have written the file. */
function readOwn(path: string): Buffer | undefined {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(file);
    const isOwn = stats.uid === process.geteuid?.() && (stats.mode & 0o022) === 0;
    return stats.isFile() && isOwn && stats.size <= mostBytes ? readFileSync(file) : undefined;
  } finally {
    closeSync(file);
  }
}

function readFields(line: Buffer): readonly KnownField[] | undefined {
  if (line.length === 0) return undefined;
  try {
    const fields: unknown = JSON.parse(line.toString());
    return isFields(fields) ? fields : undefined;
  } catch {
    return undefined;
  }
}

/** Replaces the file in one step: readers see the old index or the new one. */
export function writeIndex(
  { path, identity, configMtimeMs }: Place,
  { commands, leading, jobs, names }: Knowledge,
  { builtAtMs, tookMs }: { readonly builtAtMs: number; readonly tookMs: number },
): void {
  let end = 0;
  const lines = jobs.map(({ fields }) => (fields ? Buffer.from(`${JSON.stringify(fields)}\n`) : Buffer.alloc(0)));
  const listed = jobs.map(({ id, about }, at): Header['jobs'][number] => {
    const bytes = lines[at]?.length ?? 0;
    end += bytes;
    return [id, about, end - bytes, bytes];
  });
  const header: Header = { identity, builtAtMs, tookMs, configMtimeMs, commands, leading, jobs: listed, names };
  const text = Buffer.from(`${JSON.stringify(header)}\n`);
  const draft = `${path}.${process.pid}.new`;
  makeFolder(path);
  try {
    const length = `${String(text.length).padStart(lengthBytes - 1)}\n`;
    writeFileSync(draft, Buffer.concat([Buffer.from(length), text, ...lines]), { flag: 'wx', mode: 0o600 });
    renameSync(draft, path);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Creates the folder of a file. @throws Error if another user owns it, because that user could put links there */
export function makeFolder(path: string): void {
  const folder = join(path, '..');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const areOwn = [lstatSync(folder), statSync(folder)].every(({ uid }) => uid === process.geteuid?.());
  if (!areOwn) throw new Error(`${folder} belongs to another user`);
}

function isHeader(value: unknown): value is Header {
  return (
    isObject(value) &&
    typeof value.identity === 'string' &&
    [value.builtAtMs, value.tookMs, value.configMtimeMs].every((number) => typeof number === 'number') &&
    isListOf(value.commands, isCommand) &&
    isListOf(value.leading, isOption) &&
    isListOf(value.jobs, isListedJob) &&
    isObject(value.names) &&
    nameKinds.every((kind) => isObject(value.names) && isListOf(value.names[kind], isNamed))
  );
}

function isListedJob(job: unknown): boolean {
  if (!Array.isArray(job)) return false;
  const [id, about, at, bytes]: unknown[] = job;
  return typeof id === 'string' && typeof about === 'string' && isSize(at) && isSize(bytes);
}

function isSize(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isNamed(pair: unknown): boolean {
  return Array.isArray(pair) && pair.length === 2 && pair.every((text) => typeof text === 'string');
}

function isCommand(value: unknown): boolean {
  return hasTexts(value, 'name', 'about') && mayBeText(value.operands) && isListOf(value.options, isOption);
}

function isOption(value: unknown): boolean {
  if (!hasTexts(value, 'name', 'about') || !mayBeText(value.value) || !mayBeText(value.short)) return false;
  return value.choices === undefined || isListOf(value.choices, isText);
}

function isFields(value: unknown): value is readonly KnownField[] {
  return isListOf(value, isField);
}

function isField(value: unknown): boolean {
  return hasTexts(value, 'name', 'kind', 'about') && isListOf(value.choices, isText);
}

function hasTexts(value: unknown, ...names: readonly string[]): value is Record<string, unknown> {
  return isObject(value) && names.every((name) => isText(value[name]));
}

function mayBeText(value: unknown): boolean {
  return value === undefined || isText(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isListOf(value: unknown, isItem: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every((item) => isItem(item));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
