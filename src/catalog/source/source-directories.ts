// Walks the directories of one source, watches them, and finds those that have changed. source-tree.ts reads the jobs
// in them.

import type { Stats } from 'node:fs';
import { join } from 'node:path';
import type { JobDefinition, JobError } from '../../domain/job.ts';
import { systemClock } from '../../lib/clock.ts';
import { errorCode } from '../../lib/error-code.ts';
import type { LogLines } from '../../lib/logger.ts';
import type { Yielder } from '../../lib/yielder.ts';
import { printable } from '../job/job-id.ts';
import { type Directory, readDirectory } from './directory.ts';
import type { OnEntry } from './directory-watch.ts';
import { type Ignore, nothingIgnored } from './ignore.ts';
import { identityOf, isSettled, lstatOf, stampOfFile, statOf } from './source-file.ts';
import { childOf, nameOf, parentOf } from './source-path.ts';

export type FoundJob = {
  readonly id: string;
  /** Relative to the source; `''` for its root. */
  readonly path: string;
  readonly read: JobDefinition | readonly JobError[];
  /** The stamp of the config.yaml that was read; undefined if there was no such file. */
  readonly configStamp?: string | undefined;
};

/** Directories to read again, each with the names of the entries that may have been replaced. */
export type Marks = Map<string, Set<string>>;

type Stamp = {
  readonly identity: string;
  /**
   * A text that differs after each change of the directory or of the job's files in it. It is undefined if the last
   * change was so recent that another change might leave the same text.
   */
  readonly state: string | undefined;
};
type StampedDirectory = Directory & {
  readonly stamp: Stamp;
  /** The system's error code, if the folder cannot be read. */
  readonly unreadable?: string | undefined;
};
export type Node = StampedDirectory & {
  readonly path: string;
  readonly stopWatching: () => void;
  job: FoundJob | undefined;
};

type Watch = (path: string, onEntry: OnEntry) => () => void;

export type SourceDirectories = ReturnType<typeof createSourceDirectories>;

type Source = { readonly name: string; readonly path: string };

export type DirectoryOptions = {
  readonly ignoreOf: (root: string) => Ignore;
  readonly log: LogLines;
  readonly watch: Watch;
  readonly onEntry: (path: string, name: string | null, isReplaced: boolean) => void;
};

export function createSourceDirectories(source: Source, maybeYield: Yielder, o: DirectoryOptions) {
  const nodes = new Map<string, Node>();
  let ignore: Ignore = nothingIgnored;
  let isClosed = false;

  /** Watches the directory before reading it, so that no change in between is missed. */
  function open(path: string): Node | undefined {
    const stopWatching = watchDirectory(join(source.path, path), o.watch, (name, isReplaced) =>
      o.onEntry(path, name, isReplaced),
    );
    let directory: StampedDirectory | undefined;
    try {
      if (path === '') ignore = o.ignoreOf(source.path);
      directory = read(path);
    } finally {
      if (!directory) stopWatching();
    }
    if (directory?.unreadable !== undefined && isOwned(nodes, path))
      o.log.warn({ source: source.name, path: printable(path) }, `a folder cannot be read (${directory.unreadable})`);
    return directory && { ...directory, path, stopWatching, job: undefined };
  }

  function read(path: string): StampedDirectory | undefined {
    return readStamped(source.path, path, ignore, isOwned(nodes, path));
  }

  function drop(path: string): boolean {
    const node = nodes.get(path);
    if (!node) return false;
    node.stopWatching();
    nodes.delete(path);
    let hadJobs = holdsJobs(node);
    for (const name of node.subdirectories) hadJobs = drop(childOf(path, name)) || hadJobs;
    return hadJobs;
  }

  const isIgnoreChanged = () => o.ignoreOf(source.path) !== ignore;

  return {
    nodes,
    get ignore(): Ignore {
      return ignore;
    },
    get isClosed(): boolean {
      return isClosed;
    },
    isIgnoreChanged,
    ownerOf: (path: string | undefined) => ownerOf(nodes, path),
    /** Opens a directory and all directories below it; stops early when the source is closed. */
    async walk(start: string): Promise<readonly Node[]> {
      const opened: Node[] = [];
      const left = [start];
      for (let path = left.pop(); path !== undefined; path = left.pop()) {
        await maybeYield();
        if (isClosed) return [];
        const node = open(path);
        if (!node) continue;
        nodes.set(path, node);
        opened.push(node);
        for (const name of node.subdirectories) left.push(childOf(path, name));
      }
      return opened;
    },
    /** Reads one directory again; undefined when it is gone. */
    read,
    update: (node: Node, now: StampedDirectory) => nodes.set(node.path, { ...node, ...now }),
    /** Forgets a directory and all below it. Returns whether there were jobs. */
    drop,
    /** Compares every directory with the disk, for changes that no watch has reported. */
    async findMarks(): Promise<Marks> {
      const marks = await findMarks(source.path, Array.from(nodes.values()), maybeYield);
      if (isIgnoreChanged()) marks.set('', marks.get('') ?? new Set());
      return marks;
    },
    close(): void {
      isClosed = true;
      drop('');
    },
  };
}

/** The nearest job at or above the path. */
function ownerOf(nodes: ReadonlyMap<string, Node>, path: string | undefined): Node | undefined {
  for (let at = path; at !== undefined; at = parentOf(at)) {
    const node = nodes.get(at);
    if (node && isJob(node)) return node;
  }
  return undefined;
}

/** Whether the directory is inside a job. */
function isOwned(nodes: ReadonlyMap<string, Node>, path: string): boolean {
  return ownerOf(nodes, parentOf(path)) !== undefined;
}

function readStamped(root: string, path: string, ignore: Ignore, isOwned: boolean): StampedDirectory | undefined {
  const dir = join(root, path);
  const look = lookAt(dir);
  if (!look) return undefined;
  try {
    const directory = readDirectory({ root, path, ignore, isOwned });
    return directory && { ...directory, stamp: stampOf(dir, look, directory.files) };
  } catch (error) {
    const nothing = { subdirectories: new Set<string>(), configFiles: [], files: [], scripts: 0, unnamable: [] };
    return { ...nothing, stamp: stampOf(dir, look, []), unreadable: errorCode(error) ?? 'unknown error' };
  }
}

/** Watches a directory and its `config.d`. Returns a function that stops the watch. */
function watchDirectory(dir: string, watch: Watch, onEntry: OnEntry): () => void {
  const stops = [watch(dir, onEntry)];
  const inner = join(dir, 'config.d');
  if (lstatOf(inner)?.isDirectory()) stops.push(watch(inner, () => onEntry('config.d', false)));
  return () => {
    for (const stop of stops) stop();
  };
}

async function findMarks(root: string, nodes: readonly Node[], maybeYield: Yielder): Promise<Marks> {
  const marks: Marks = new Map();
  const mark = (path: string, replaced: readonly string[] = []) =>
    marks.set(path, new Set([...(marks.get(path) ?? []), ...replaced]));
  for (const node of nodes) {
    await maybeYield();
    const dir = join(root, node.path);
    const look = lookAt(dir);
    const stamp = look && stampOf(dir, look, node.files);
    const parent = parentOf(node.path);
    if (stamp?.identity !== node.stamp.identity && parent !== undefined) mark(parent, [nameOf(node.path)]);
    else if (stamp?.state === undefined || stamp.state !== node.stamp.state) mark(node.path);
  }
  return marks;
}

export function isJob({ configFiles }: Directory): boolean {
  return configFiles.length > 0;
}

export function holdsJobs(directory: StampedDirectory): boolean {
  return isJob(directory) || directory.unnamable.length > 0 || directory.unreadable !== undefined;
}

type Look = { readonly stat: Stats; readonly atMs: number };

function lookAt(dir: string): Look | undefined {
  const atMs = systemClock.now();
  // statOf follows links, but only the root can be a link: links below it are not walked.
  const stat = statOf(dir);
  return stat && { stat, atMs };
}

/**
 * The caller must call `lookAt` before it reads the directory. Otherwise a change between the two could go unnoticed.
 */
function stampOf(dir: string, { stat, atMs }: Look, files: readonly string[]): Stamp {
  const stats = [stat, ...files.map((name) => statOf(join(dir, name)))];
  const newestMs = Math.max(...stats.map((of) => of?.ctimeMs ?? 0));
  return {
    identity: identityOf(stat),
    state: isSettled(newestMs, atMs) ? stats.map((of) => of && stampOfFile(of)).join() : undefined,
  };
}
