// Keeps one source's tree current: gathers what changed for a moment, then has it read again. Finds a root that comes,
// goes or is another one, and whatever the watches missed.

import type { LogLines } from '../../lib/logger.ts';
import type { DirectoryWatch } from './directory-watch.ts';
import type { Ignore } from './ignore.ts';
import { statOf } from './source-file.ts';
import { createSourceTree, type FoundJob, type Marks } from './source-tree.ts';

/** An editor's save is several events. */
const gatherMs = 30;
const rootIntervalMs = 500;
const unwatchedIntervalMs = 5_000;
/** inotify drops events without a word when too many come at once. */
const watchedIntervalMs = 60_000;

export type WatchedSource = {
  readonly jobs: readonly FoundJob[];
  readonly scripts: number;
  /** Resolves when the source has been read once. */
  start(): Promise<void>;
  close(): Promise<void>;
};

export function watchSource(o: {
  readonly source: {
    readonly name: string;
    readonly path: string;
    readonly mountPath: string;
    readonly watch: boolean;
  };
  readonly directories: DirectoryWatch;
  readonly ignoreOf: (root: string) => Ignore;
  readonly log: LogLines;
  readonly onChange: () => void;
}): WatchedSource {
  const { source, log } = o;
  let marks: Marks = new Map();
  let isWholeMarked = false;
  let isClosed = false;
  let root = rootIdentity();
  let gathering: NodeJS.Timeout | undefined;
  let work: Promise<void> = Promise.resolve();
  let lookedAtMs = performance.now();
  let rootTimer: NodeJS.Timeout | undefined;

  const tree = createSourceTree({
    source,
    ignoreOf: o.ignoreOf,
    log,
    watch: (dir, onEntry) => (source.watch ? o.directories.watch(dir, onEntry) : () => {}),
    onEntry(path, name, isReplaced) {
      // Without a name every entry may be another one.
      if (name === null) isWholeMarked = true;
      mark(path, isReplaced && name !== null ? [name] : []);
    },
  });

  function mark(path: string, replaced: Iterable<string>): void {
    const known = marks.get(path) ?? new Set();
    for (const name of replaced) known.add(name);
    marks.set(path, known);
    gather();
  }

  function gather(): void {
    if (isClosed || gathering) return;
    gathering = setTimeout(() => enqueue(readMarked), gatherMs);
  }

  /** One task at a time; one that fails does not end the others. */
  function enqueue(task: () => Promise<void>): void {
    work = work.then(task).catch((error: unknown) => {
      log.error({ err: error, source: source.name }, 'a source could not be read');
    });
  }

  async function readMarked(): Promise<void> {
    gathering = undefined;
    const [isWhole, taken] = [isWholeMarked, marks];
    isWholeMarked = false;
    marks = new Map();
    if (isWhole) await tree.rescan();
    const isChanged = isWhole || (await tree.refresh(taken));
    if (isChanged && !isClosed) o.onChange();
  }

  function rootIdentity(): string | undefined {
    // The root may be a link, and be set to another directory.
    const stat = statOf(source.path);
    return stat?.isDirectory() ? `${stat.dev} ${stat.ino} ${stat.birthtimeMs}` : undefined;
  }

  function lookAtRoot(): void {
    const now = rootIdentity();
    if (now !== root || (now !== undefined) !== tree.isThere) {
      if (now === undefined) log.warn({ source: source.name }, 'the directory of a source is gone');
      root = now;
      isWholeMarked = true;
      gather();
    }
    if (!source.watch) {
      if (tree.isThere) clearInterval(rootTimer);
      return;
    }
    const intervalMs = o.directories.isComplete ? watchedIntervalMs : unwatchedIntervalMs;
    if (performance.now() - lookedAtMs < intervalMs) return;
    lookedAtMs = performance.now();
    enqueue(async () => {
      for (const [path, replaced] of await tree.findMarks()) mark(path, replaced);
    });
  }

  return {
    get jobs() {
      return tree.jobs;
    },
    get scripts() {
      return tree.scripts;
    },
    async start() {
      work = work.then(() => tree.rescan());
      await work;
      if (isClosed) return;
      if (!tree.isThere) {
        log.warn({ source: source.name, path: source.path }, 'the directory of a source is not there yet');
      }
      rootTimer = setInterval(lookAtRoot, rootIntervalMs).unref();
    },
    async close() {
      isClosed = true;
      clearTimeout(gathering);
      clearInterval(rootTimer);
      tree.close();
      await work;
      tree.close();
    },
  };
}
