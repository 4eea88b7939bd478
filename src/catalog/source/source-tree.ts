// The directories of one source with the jobs found in them. Reads only what it is told has changed; who notices that
// is source-watch.ts.

import { join } from 'node:path';
import type { JobDefinition, JobError } from '../../domain/job.ts';
import { errorCode } from '../../lib/error-code.ts';
import type { LogLines } from '../../lib/logger.ts';
import { createYielder } from '../../lib/yielder.ts';
import { readJobFile } from '../job/job-file.ts';
import { jobIdOf, printable } from '../job/job-id.ts';
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

/** Directories to look at again, each with the entries in it that may be others than before. */
export type Marks = Map<string, Set<string>>;

type Node = Directory & {
  readonly path: string;
  readonly stamp: Stamp;
  readonly stopWatching: () => void;
  job: FoundJob | undefined;
  configStamp: string;
};
type Stamp = { readonly identity: string; readonly modified: number };

export type SourceTree = {
  /** As of the last rescan or refresh that came to its end. */
  readonly jobs: readonly FoundJob[];
  readonly scripts: number;
  readonly isThere: boolean;
  rescan(): Promise<void>;
  /** Answers whether anything visible has changed. */
  refresh(marks: Marks): Promise<boolean>;
  /** Looks at every directory for changes that nobody has told of. */
  findMarks(): Promise<Marks>;
  close(): void;
};

export function createSourceTree(o: {
  readonly source: { readonly name: string; readonly path: string; readonly mountPath: string };
  readonly ignoreOf: (root: string) => Ignore;
  readonly log: LogLines;
  readonly watch: (path: string, onEntry: OnEntry) => () => void;
  readonly onEntry: (path: string, name: string | null, isReplaced: boolean) => void;
}): SourceTree {
  const { source, log } = o;
  const nodes = new Map<string, Node>();
  const maybeYield = createYielder();
  let ignore: Ignore = nothingIgnored;
  let jobs: readonly FoundJob[] = [];
  let scripts = 0;
  let isClosed = false;

  /** The directory as it is now. It is watched before anything in it is read, so that no change falls between. */
  function open(path: string): Node | undefined {
    const dir = join(source.path, path);
    const stops = [o.watch(dir, (name, isReplaced) => o.onEntry(path, name, isReplaced))];
    if (lstatOf(join(dir, 'config.d'))?.isDirectory()) {
      stops.push(o.watch(join(dir, 'config.d'), () => o.onEntry(path, 'config.d', false)));
    }
    const stopWatching = () => {
      for (const stop of stops) stop();
    };
    if (path === '') ignore = o.ignoreOf(source.path);
    const stamp = stampOf(dir);
    const read = stamp && look(path);
    if (!read) {
      stopWatching();
      return undefined;
    }
    return { ...read, path, stamp, stopWatching, job: undefined, configStamp: '' };
  }

  function look(path: string): Directory | undefined {
    try {
      return readDirectory({ root: source.path, path, ignore, isOwned: ownerOf(parentOf(path)) !== undefined });
    } catch (error) {
      log.warn(
        { source: source.name, path: printable(path) },
        `a directory cannot be read (${errorCode(error) ?? 'unknown error'})`,
      );
      return { subdirectories: new Set(), configFiles: [], scripts: 0, unnamable: [] };
    }
  }

  /** The nearest directory upwards, itself included, that is a job. */
  function ownerOf(path: string | undefined): Node | undefined {
    for (let at = path; at !== undefined; at = parentOf(at)) {
      const node = nodes.get(at);
      if (node && node.configFiles.length > 0) return node;
    }
    return undefined;
  }

  /** Answers whether there are jobs in it. */
  async function walk(start: string): Promise<boolean> {
    const found: Node[] = [];
    let hasJobs = false;
    const left = [start];
    for (let path = left.pop(); path !== undefined; path = left.pop()) {
      await maybeYield();
      if (isClosed) return false;
      const node = open(path);
      if (!node) continue;
      nodes.set(path, node);
      if (node.configFiles.length > 0) found.push(node);
      hasJobs ||= node.configFiles.length > 0 || node.unnamable.length > 0;
      for (const name of node.subdirectories) left.push(childOf(path, name));
    }
    // A job may name files further down: those directories are watched by now.
    for (const node of found) {
      await maybeYield();
      if (isClosed) return false;
      await readJob(node);
    }
    return hasJobs;
  }

  /** Answers whether there were jobs in it. */
  function drop(path: string): boolean {
    const node = nodes.get(path);
    if (!node) return false;
    node.stopWatching();
    nodes.delete(path);
    let hadJobs = node.configFiles.length > 0 || node.unnamable.length > 0;
    for (const name of node.subdirectories) hadJobs = drop(childOf(path, name)) || hadJobs;
    return hadJobs;
  }

  async function readJob(node: Node): Promise<void> {
    const { path, configFiles } = node;
    node.configStamp = configStampOf(node);
    const read = await readJobFile({ source, path, configFiles, ignore, maybeYield }).catch((error: unknown) => {
      // A bug that one file meets must not hide every other job.
      log.error({ err: error, source: source.name, path: printable(path) }, 'a job could not be read');
      return [{ file: fileOf(path), line: 1, column: 1, message: 'cannot be read; the server log says why' }];
    });
    node.job = { id: jobIdOf(source.mountPath, path), path, read };
  }

  async function rescan(): Promise<void> {
    drop('');
    await walk('');
    settle();
  }

  function isIgnoreChanged(): boolean {
    return o.ignoreOf(source.path) !== ignore;
  }

  async function refresh(marks: Marks): Promise<boolean> {
    if (isIgnoreChanged()) {
      await rescan();
      return true;
    }
    const owners = new Set<string>();
    const touch = (path: string | undefined) => {
      const owner = ownerOf(path);
      if (owner) owners.add(owner.path);
    };
    let isChanged = false;
    for (const [path, replaced] of [...marks].toSorted(([a], [b]) => a.length - b.length)) {
      await maybeYield();
      const node = nodes.get(path);
      if (!node) continue;
      const stamp = stampOf(join(source.path, path));
      const now = stamp && look(path);
      if (!now || now.configFiles.length > 0 !== node.configFiles.length > 0 || replaced.has('config.d')) {
        // Who owns what below it has changed, or it is gone.
        const hadJobs = drop(path);
        const hasJobs = now ? await walk(path) : false;
        isChanged ||= hadJobs || hasJobs;
        touch(parentOf(path));
        continue;
      }
      for (const name of node.subdirectories) {
        if (now.subdirectories.has(name) && !replaced.has(name)) continue;
        isChanged = drop(childOf(path, name)) || isChanged;
      }
      isChanged ||= now.unnamable.join('/') !== node.unnamable.join('/');
      nodes.set(path, { ...node, ...now, stamp });
      for (const name of now.subdirectories) {
        const child = childOf(path, name);
        if (!nodes.has(child)) isChanged = (await walk(child)) || isChanged;
      }
      touch(path);
    }
    for (const path of owners) {
      await maybeYield();
      const node = nodes.get(path);
      if (node) await readJob(node);
    }
    settle();
    return isChanged || owners.size > 0;
  }

  function settle(): void {
    const all = [...nodes.values()];
    jobs = all.flatMap((node) => [
      ...(node.job ? [node.job] : []),
      ...node.unnamable.map((name) => unnamableJob(source.mountPath, childOf(node.path, name))),
    ]);
    scripts = all.reduce((sum, node) => sum + node.scripts, 0);
  }

  async function findMarks(): Promise<Marks> {
    const marks: Marks = new Map();
    const mark = (path: string, name?: string) => {
      const replaced = marks.get(path) ?? new Set();
      if (name !== undefined) replaced.add(name);
      marks.set(path, replaced);
    };
    if (isIgnoreChanged()) mark('');
    for (const node of Array.from(nodes.values())) {
      await maybeYield();
      const stamp = stampOf(join(source.path, node.path));
      const parent = parentOf(node.path);
      if (stamp?.identity !== node.stamp.identity && parent !== undefined) mark(parent, nameOf(node.path));
      else if (stamp?.modified !== node.stamp.modified) mark(node.path);
      else if (node.job && configStampOf(node) !== node.configStamp) mark(node.path);
    }
    return marks;
  }

  function configStampOf({ path, configFiles: [file = 'config.yaml'] }: Node): string {
    const stat = statOf(join(source.path, path, file));
    return stat ? `${stat.ino} ${stat.size} ${stat.ctimeMs}` : '';
  }

  return {
    get jobs() {
      return jobs;
    },
    get scripts() {
      return scripts;
    },
    get isThere() {
      return nodes.has('');
    },
    rescan,
    refresh,
    findMarks,
    close() {
      isClosed = true;
      drop('');
    },
  };
}

function stampOf(dir: string): Stamp | undefined {
  // Only the root can be a link: no other is walked.
  const stat = statOf(dir);
  return stat && { identity: `${stat.dev} ${stat.ino} ${stat.birthtimeMs}`, modified: stat.mtimeMs };
}

function unnamableJob(mountPath: string, path: string): FoundJob {
  const message = 'the name of its directory is not UTF-8';
  return {
    id: jobIdOf(mountPath, path),
    path,
    read: [{ file: fileOf(path), line: 1, column: 1, message }],
  };
}

function fileOf(path: string): string {
  return printable(childOf(path, 'config.yaml'));
}
