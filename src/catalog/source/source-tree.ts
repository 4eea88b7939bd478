// The jobs of one source. Reads only the directories that source-watch.ts reports as changed.

import { join } from 'node:path';
import type { LogLines } from '../../lib/logger.ts';
import { createYielder, type Yielder } from '../../lib/yielder.ts';
import { readJobFile } from '../job/job-file.ts';
import { jobIdOf, printable } from '../job/job-id.ts';
import {
  createSourceDirectories,
  type DirectoryOptions,
  type FoundJob,
  holdsJobs,
  isJob,
  type Marks,
  type Node,
  type SourceDirectories,
} from './source-directories.ts';
import { stampOfFile, statOf } from './source-file.ts';
import { childOf, parentOf } from './source-path.ts';

export type SourceTree = ReturnType<typeof createSourceTree>;

type Source = { readonly name: string; readonly path: string; readonly mountPath: string };

export function createSourceTree(source: Source, o: DirectoryOptions) {
  const maybeYield = createYielder();
  const directories = createSourceDirectories(source, maybeYield, o);
  const reader = createReader(source, o.log, directories, maybeYield);
  const { nodes } = directories;
  let jobs: readonly FoundJob[] = [];
  let scripts = 0;

  async function rescan(): Promise<true> {
    directories.drop('');
    await reader.walk('');
    settle();
    return true;
  }

  async function refresh(marks: Marks): Promise<boolean> {
    if (directories.isIgnoreChanged()) return rescan();
    const owners = new Set<string>();
    const addOwner = (path: string | undefined) => {
      const owner = directories.ownerOf(path);
      if (owner) owners.add(owner.path);
    };
    let isChanged = false;
    for (const [path, replaced] of [...marks].toSorted(([a], [b]) => a.length - b.length)) {
      await maybeYield();
      const node = nodes.get(path);
      if (node) isChanged = (await refreshDirectory(directories, reader, node, replaced, addOwner)) || isChanged;
    }
    await reader.readJobs([...owners].flatMap((path) => nodes.get(path) ?? []));
    settle();
    return isChanged || owners.size > 0;
  }

  function settle(): void {
    const all = [...nodes.values()];
    jobs = all.flatMap((node) => [
      ...(node.job ? [node.job] : []),
      ...unreadableJobs(source.mountPath, node, directories),
      ...node.unnamable.map((name) => unnamableJob(source.mountPath, childOf(node.path, name))),
    ]);
    scripts = all.reduce((sum, node) => sum + node.scripts, 0);
  }

  return {
    /** The jobs as of the last `rescan` or `refresh` that has finished. */
    get jobs(): readonly FoundJob[] {
      return jobs;
    },
    get scripts(): number {
      return scripts;
    },
    get isThere(): boolean {
      return nodes.has('');
    },
    get isReadable(): boolean {
      return nodes.has('') && nodes.get('')?.unreadable === undefined;
    },
    rescan,
    /** Returns whether anything visible has changed. */
    refresh,
    findMarks: (): Promise<Marks> => directories.findMarks(),
    close: () => directories.close(),
  };
}

type Reader = ReturnType<typeof createReader>;

function createReader(source: Source, log: LogLines, directories: SourceDirectories, maybeYield: Yielder) {
  async function readJob(node: Node): Promise<void> {
    const { path, configFiles } = node;
    const { ignore } = directories;
    const [configFile = 'config.yaml'] = configFiles;
    // Takes the stamp before it reads the file. If the file changes in between, the old stamp shows this; a stamp taken
    // later would hide it.
    const stat = statOf(join(source.path, path, configFile));
    const read = await readJobFile({ source, path, configFiles, ignore, maybeYield }).catch((error: unknown) => {
      // A bug in reading one file must not hide every other job.
      log.error({ err: error, source: source.name, path: printable(path) }, 'a job could not be read');
      return [{ file: fileOf(path), line: 1, column: 1, message: 'cannot be read; the server log says why' }];
    });
    node.job = { id: jobIdOf(source.mountPath, path), path, read, configStamp: stat && stampOfFile(stat) };
  }

  async function readJobs(found: readonly Node[]): Promise<void> {
    for (const node of found) {
      await maybeYield();
      if (directories.isClosed) return;
      await readJob(node);
    }
  }

  return {
    /** Opens a directory and all below it, and reads the jobs there. Returns whether there are any. */
    async walk(start: string): Promise<boolean> {
      const opened = await directories.walk(start);
      // A job may name files further down, so all directories are watched before the first job is read.
      await readJobs(opened.filter(isJob));
      return opened.some(holdsJobs);
    },
    readJobs,
  };
}

/**
 * Reads a directory again. Returns whether jobs appeared or disappeared. Calls `onRead` with a path: the nearest job at
 * or above this path must be read again.
 */
async function refreshDirectory(
  directories: SourceDirectories,
  reader: Reader,
  node: Node,
  replaced: ReadonlySet<string>,
  onRead: (path: string | undefined) => void,
): Promise<boolean> {
  const { path } = node;
  const now = directories.read(path);
  const isOther = !now || isJob(now) !== isJob(node) || now.unreadable !== node.unreadable;
  if (isOther || replaced.has('config.d')) {
    // The directory is gone, it can be read now or no longer, or another job owns what is below it.
    const hadJobs = directories.drop(path);
    const hasJobs = now ? await reader.walk(path) : false;
    onRead(parentOf(path));
    return hadJobs || hasJobs;
  }
  let isChanged = now.unnamable.join('/') !== node.unnamable.join('/');
  for (const name of node.subdirectories) {
    if (now.subdirectories.has(name) && !replaced.has(name)) continue;
    isChanged = directories.drop(childOf(path, name)) || isChanged;
  }
  directories.update(node, now);
  for (const name of now.subdirectories) {
    const child = childOf(path, name);
    if (!directories.nodes.has(child)) isChanged = (await reader.walk(child)) || isChanged;
  }
  onRead(path);
  return isChanged;
}

function unnamableJob(mountPath: string, path: string): FoundJob {
  return brokenJob(mountPath, path, 'the name of its folder is not UTF-8');
}

/** A folder that cannot be read may be a job, or contain some, unless it is inside a job. */
function unreadableJobs(mountPath: string, { path, unreadable }: Node, directories: SourceDirectories): FoundJob[] {
  if (unreadable === undefined || path === '' || directories.ownerOf(path)) return [];
  const message =
    unreadable === 'EACCES'
      ? 'flwd may not read this folder: let the user of the server read and enter it, or name it in .flwdignore'
      : `its folder cannot be read (${unreadable})`;
  return [brokenJob(mountPath, path, message)];
}

function brokenJob(mountPath: string, path: string, message: string): FoundJob {
  return {
    id: jobIdOf(mountPath, path),
    path,
    read: [{ file: fileOf(path), line: 1, column: 1, message }],
  };
}

function fileOf(path: string): string {
  return printable(childOf(path, 'config.yaml'));
}
