// Walks the directories of one source, watches them, and finds those that have changed. source-tree.ts reads the jobs
// in them.

import { join } from 'node:path';
import type { JobDefinition, JobError } from '../../domain/job.ts';
import { errorCode } from '../../lib/error-code.ts';
import type { LogLines } from '../../lib/logger.ts';
import type { Yielder } from '../../lib/yielder.ts';
import { printable } from '../job/job-id.ts';
import { type Directory, readDirectory } from './directory.ts';
import type { OnEntry } from './directory-watch.ts';
import { type Ignore, nothingIgnored } from './ignore.ts';
import { lstatOf, statOf } from './source-file.ts';
import { childOf, nameOf, parentOf } from './source-path.ts';

export type FoundJob = {
  readonly id: string;
  /** Relative to the source; `''` for its root. */
  readonly path: string;
  readonly read: JobDefinition | readonly JobError[];
};

/** Directories to read again. Each has the names of those entries that may have been replaced. */
export type Marks = Map<string, Set<string>>;

type Stamp = { readonly identity: string; readonly modified: number };
type StampedDirectory = Directory & { readonly stamp: Stamp };
export type Node = StampedDirectory & {
  readonly path: string;
  readonly stopWatching: () => void;
  job: FoundJob | undefined;
  /** Identifies the config.yaml that `job` was read from. */
  configStamp: string;
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
    if (path === '') ignore = o.ignoreOf(source.path);
    const directory = read(path);
    if (directory) return { ...directory, path, stopWatching, job: undefined, configStamp: '' };
    stopWatching();
    return undefined;
  }

  function read(path: string): StampedDirectory | undefined {
    return readStamped(source, path, ignore, ownerOf(nodes, parentOf(path)) !== undefined, o.log);
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
    /** Opens a directory and all below it; stops early when the source is closed. */
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

function readStamped(
  source: Source,
  path: string,
  ignore: Ignore,
  isOwned: boolean,
  log: LogLines,
): StampedDirectory | undefined {
  const stamp = stampOf(join(source.path, path));
  if (!stamp) return undefined;
  try {
    const directory = readDirectory({ root: source.path, path, ignore, isOwned });
    return directory && { ...directory, stamp };
  } catch (error) {
    const reason = errorCode(error) ?? 'unknown error';
    log.warn({ source: source.name, path: printable(path) }, `a directory cannot be read (${reason})`);
    return { subdirectories: new Set(), configFiles: [], scripts: 0, unnamable: [], stamp };
  }
}

/** Watches a directory and its `config.d`. Returns how to stop. */
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
    const stamp = stampOf(join(root, node.path));
    const parent = parentOf(node.path);
    if (stamp?.identity !== node.stamp.identity && parent !== undefined) mark(parent, [nameOf(node.path)]);
    else if (stamp?.modified !== node.stamp.modified) mark(node.path);
    else if (node.job && configStampOf(root, node) !== node.configStamp) mark(node.path);
  }
  return marks;
}

export function isJob({ configFiles }: Directory): boolean {
  return configFiles.length > 0;
}

export function holdsJobs(directory: Directory): boolean {
  return isJob(directory) || directory.unnamable.length > 0;
}

function stampOf(dir: string): Stamp | undefined {
  // statOf follows links. Only the root can be one: links below it are not walked.
  const stat = statOf(dir);
  return stat && { identity: `${stat.dev} ${stat.ino} ${stat.birthtimeMs}`, modified: stat.mtimeMs };
}

export function configStampOf(root: string, { path, configFiles: [file = 'config.yaml'] }: Node): string {
  const stat = statOf(join(root, path, file));
  return stat ? `${stat.ino} ${stat.size} ${stat.ctimeMs}` : '';
}
