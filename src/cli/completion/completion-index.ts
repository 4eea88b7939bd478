// What a Tab knows: a file of the user's cache for each instance, so that an answer needs no catalogue, no YAML and no server
// (ADR 0023). It is a hint and no more: whoever else could have written it is not believed, and what has another shape is none.
//
// Its first line says how long the header is; the header is JSON; the fields of each job follow, at the place that the header
// names: of 5,000 jobs those of one are read.

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

/** A word that may be typed, and what it is. */
export type Named = readonly [value: string, about: string];
/** An argument of a job. */
export type KnownField = {
  /** As it is typed, without its dashes: `keep.days`. */
  readonly name: string;
  readonly kind: 'switch' | 'secret' | 'path' | 'value';
  readonly choices: readonly string[];
  readonly isList: boolean;
  readonly about: string;
};
type KnownJob = {
  readonly id: string;
  readonly about: string;
  /** undefined: nobody has asked for them yet. */
  readonly fields: readonly KnownField[] | undefined;
};
/** What there is by name, besides jobs. */
export type Names = Readonly<Record<(typeof nameKinds)[number], readonly Named[]>>;
export type Knowledge = {
  readonly commands: readonly Command[];
  /** What may stand before any command. */
  readonly leading: readonly Option[];
  /** With the aliases, which are jobs by another name. */
  readonly jobs: readonly KnownJob[];
  readonly names: Names;
};

const nameKinds = ['runs', 'schedules', 'tokens', 'secrets', 'remotes', 'sources', 'tags'] as const;

type Header = {
  readonly identity: string;
  readonly builtAtMs: number;
  readonly tookMs: number;
  readonly configMtimeMs: number;
  readonly commands: readonly Command[];
  readonly leading: readonly Option[];
  /** Id, what it is, and where its fields are: from the end of the header, and how many bytes; none where they are not known. */
  readonly jobs: readonly (readonly [string, string, number, number])[];
  readonly names: Names;
};

export type Index = Pick<
  Header,
  'commands' | 'leading' | 'jobs' | 'names' | 'builtAtMs' | 'tookMs' | 'configMtimeMs'
> & {
  /** Of the job at this place of `jobs`. */
  readonly fieldsOf: (job: Header['jobs'][number]) => readonly KnownField[] | undefined;
};

/** Which instance is meant: what the words say of it. */
export type Selection = ReadonlyMap<string, readonly string[]>;

export type Place = {
  readonly path: string;
  /** There while somebody makes the index anew. */
  readonly busyPath: string;
  readonly identity: string;
  /** 0: there is no flwd.yaml. */
  readonly configMtimeMs: number;
};

const format = 1;
const mostBytes = 64 * 1024 * 1024;
/** How long the first line is, with its newline. */
const lengthBytes = 12;

/** undefined: there is no place for it. */
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
  const remote = selection.get('remote')?.[0] ?? env.FLWD_REMOTE ?? '';
  // Variables set paths, which may begin at the current folder; secrets stay out of files.
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

/** FNV-1a, twice: names a file, while the identity in it is what counts. Loading node:crypto takes a Tab 3 ms. */
function fingerprint(text: string): string {
  const once = (start: number): string => {
    let hash = start;
    for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
    return (hash >>> 0).toString(16).padStart(8, '0');
  };
  return once(0x811c9dc5) + once(0x2f0b4c47);
}

/** undefined: there is none that can be believed. */
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

/** undefined: somebody else can have written it. */
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

/** In one step: whoever reads sees this index or the one before. */
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

/** @throws Error where it is another user's, who may have led it anywhere by a link */
export function makeFolder(path: string): void {
  const folder = join(path, '..');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const areOwn = [lstatSync(folder), statSync(folder)].every(({ uid }) => uid === process.geteuid?.());
  if (!areOwn) throw new Error(`${folder} is not this user’s own`);
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
