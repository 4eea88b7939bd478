// Keeps the tree of one source current. It collects changes for a moment, and then tells the tree to read them. It also
// notices when the source's root appears, disappears or is replaced, and looks for changes that the watches missed.

import { readdirSync } from 'node:fs';
import { atMost } from '../../lib/at-most.ts';
import type { LogLines } from '../../lib/logger.ts';
import { createSerial } from '../../lib/serial.ts';
import type { DirectoryWatch } from './directory-watch.ts';
import type { Ignore } from './ignore.ts';
import type { Marks } from './source-directories.ts';
import { identityOf, statOf } from './source-file.ts';
import { createSourceTree, type SourceTree } from './source-tree.ts';

/** How long changes are collected before they are read. An editor that saves a file causes several events. */
const gatherMs = 30;
const rootIntervalMs = 500;
const unwatchedIntervalMs = 5_000;
/**
 * How often to look for changes that the watches missed: inotify drops events silently when too many come at once, and
 * reports nothing that another machine changes.
 */
const watchedIntervalMs = 60_000;
/** How long a stopping server waits for a read in progress. The whole stop may take five seconds. */
const closingMs = 1_000;

type Source = {
  readonly name: string;
  readonly path: string;
  readonly mountPath: string;
  readonly watch: boolean;
};

export type WatchedSource = ReturnType<typeof watchSource>;

type Options = {
  readonly source: Source;
  readonly directories: DirectoryWatch;
  readonly ignoreOf: (root: string) => Ignore;
  readonly log: LogLines;
  readonly hadJobs: (source: string) => Promise<boolean>;
  readonly onChange: () => void;
};

export function watchSource(o: Options) {
  const { source, log } = o;
  const gathering = createGathering(() => enqueue(readChanges));
  let isClosed = false;
  let root = identityOfRoot(source.path);
  /** One task at a time. A task that fails does not stop the next. */
  const work = createSerial();
  let lookedAtMs = performance.now();
  let rootTimer: NodeJS.Timeout | undefined;

  const tree = createSourceTree(source, {
    ignoreOf: o.ignoreOf,
    log,
    watch: (dir, onEntry) => (source.watch ? o.directories.watch(dir, onEntry) : () => {}),
    onEntry(path, name, isReplaced) {
      // Without a name, any entry may have been replaced.
      if (name === null) gathering.markWhole();
      else gathering.mark(path, isReplaced ? [name] : []);
    },
  });
  const absence = createAbsence(o, tree);
  const failures = createFailures(o);

  const enqueue = (task: () => Promise<void>): void => void work.run(task).catch(failures.add);

  async function readChanges(): Promise<void> {
    const { marks, isWhole } = gathering.take();
    // If the last read failed, the whole source is read again, because anything may be missing.
    const isChanged = await (isWhole || failures.isFailing() ? tree.rescan() : tree.refresh(marks));
    failures.end();
    if (isClosed) return;
    const cameOrWent = absence.look();
    if (isChanged || cameOrWent) o.onChange();
  }

  function lookAtRoot(): void {
    const now = identityOfRoot(source.path);
    const isStale = failures.isFailing() ? failures.retry() : (now !== undefined) !== tree.isThere;
    if (now !== root || isStale) {
      root = now;
      gathering.markWhole();
    }
    if (!source.watch && !absence.isMissing()) clearInterval(rootTimer);
    if (!source.watch || failures.isFailing()) return;
    const intervalMs = o.directories.isComplete ? watchedIntervalMs : unwatchedIntervalMs;
    if (performance.now() - lookedAtMs < intervalMs) return;
    lookedAtMs = performance.now();
    enqueue(async () => {
      for (const [path, replaced] of await tree.findMarks()) gathering.mark(path, replaced);
    });
  }

  return {
    tree,
    isMissing: absence.isMissing,
    /** Resolves when the source has been read once. */
    async start(): Promise<void> {
      await work.run(() => tree.rescan());
      await absence.askForJobs();
      if (isClosed) return;
      absence.look();
      rootTimer = setInterval(lookAtRoot, rootIntervalMs).unref();
    },
    /** Reads the whole source again, or only the job at `path` if the root is still the same. */
    rescan(path?: string): Promise<void> {
      if (path !== undefined && identityOfRoot(source.path) === root) gathering.mark(path, []);
      else gathering.markWhole();
      return work.run(readChanges);
    },
    async close(): Promise<void> {
      isClosed = true;
      gathering.close();
      clearInterval(rootTimer);
      tree.close();
      // A folder on another machine may not answer.
      await atMost(closingMs, work.settled());
      tree.close();
    },
  };
}

const missingWords = 'the folder of a source is missing; its jobs cannot run until the folder is back';
const unreadableWords =
  'flwd may not read the folder of a source; its jobs cannot run until the server can read the folder';
const emptyWords = 'the folder of a source is empty, although it had jobs; they cannot run until they are back';

/**
 * Finds out whether the folder is missing. A folder that cannot be read counts as missing. An empty folder can count as
 * missing, too: it may be the mount point of a share that is not mounted.
 */
function createAbsence({ source: { name, path }, log, ...o }: Options, tree: SourceTree) {
  let rootWithJobs: string | undefined;
  let hadJobs = false;
  let isMissing = false;

  /**
   * flwd does not store which folder had the jobs. Until the first jobs are found after a start, any folder with a file
   * in it counts as that folder.
   */
  function isReplaced(root: string | undefined): boolean {
    return rootWithJobs === undefined ? hadJobs && isEmpty(path) : root !== rootWithJobs;
  }

  return {
    /** Whether the folder is missing or cannot be read, or an empty one is in its place. */
    isMissing: () => isMissing,
    /**
     * Call this when the source has been read for the first time. If the source has no jobs, finds out whether it had
     * jobs before the server started.
     */
    async askForJobs(): Promise<void> {
      hadJobs = tree.jobs.length === 0 && (await o.hadJobs(name));
    },
    /** Call this when the source has been read. Returns whether the folder appeared or disappeared. */
    look(): boolean {
      const before = isMissing;
      const root = identityOfRoot(path);
      if (tree.jobs.length > 0) rootWithJobs = root ?? rootWithJobs;
      isMissing = !tree.isReadable || (tree.jobs.length === 0 && isReplaced(root));
      if (isMissing && !before) log.warn({ source: name, path }, missingReason(tree));
      return isMissing !== before;
    },
  };
}

function missingReason(tree: SourceTree): string {
  if (!tree.isThere) return missingWords;
  return tree.isReadable ? emptyWords : unreadableWords;
}

/** Whether the folder is empty. A folder that cannot be read counts as empty. */
function isEmpty(dir: string): boolean {
  try {
    return readdirSync(dir).length === 0;
  } catch {
    return true;
  }
}

/** Counts how often in a row reading the source failed, logs each new reason once, and says when to read again. */
function createFailures({ source: { name }, log }: Options) {
  let count = 0;
  let reason: string | undefined;
  let dueAtMs = 0;
  return {
    isFailing: () => count > 0,
    /** Returns true once when it is time to read again. If this read fails too, `add` sets a new time. */
    retry(): boolean {
      const isDue = performance.now() >= dueAtMs;
      if (isDue) dueAtMs = Number.POSITIVE_INFINITY;
      return isDue;
    },
    add: (error: unknown): void => {
      dueAtMs = performance.now() + Math.min(rootIntervalMs * 2 ** count, watchedIntervalMs);
      count += 1;
      if (reason === String(error)) return;
      reason = String(error);
      log.error(
        { err: error, source: name },
        'a source cannot be read; flwd keeps its jobs as they were and tries again',
      );
    },
    /** Call this when the source has been read. */
    end(): void {
      if (count > 0) log.info({ source: name, failures: count }, 'the source can be read again');
      count = 0;
      reason = undefined;
    },
  };
}

/** The root may be a link, and somebody may point it to another directory. */
function identityOfRoot(root: string): string | undefined {
  const stat = statOf(root);
  return stat?.isDirectory() ? identityOf(stat) : undefined;
}

/** Collects changes. Calls `onReady` a moment after the first change, and not again until `take` is called. */
function createGathering(onReady: () => void) {
  let marks: Marks = new Map();
  let isWhole = false;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;

  function wait(): void {
    if (!isClosed) timer ??= setTimeout(onReady, gatherMs);
  }

  return {
    mark(path: string, replaced: Iterable<string>): void {
      marks.set(path, new Set([...(marks.get(path) ?? []), ...replaced]));
      wait();
    },
    markWhole(): void {
      isWhole = true;
      wait();
    },
    /** Returns everything that has changed since the last call. */
    take(): { readonly marks: Marks; readonly isWhole: boolean } {
      const taken = { marks, isWhole };
      timer = undefined;
      marks = new Map();
      isWhole = false;
      return taken;
    },
    close(): void {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
