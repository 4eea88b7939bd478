// Read-only copies of job directories, named by revision. A run starts from such a copy, so edits do not affect it.

import { existsSync } from 'node:fs';
import { chmod, lstat, mkdir, mkdtemp, open, rename, rm, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { invariant } from '../../domain/problem.ts';
import { systemClock } from '../../lib/clock.ts';
import { makeFolders } from '../../lib/files/make-folders.ts';
import { syncFolder } from '../../lib/files/sync-folder.ts';
import { createSerial } from '../../lib/serial.ts';
import { type CatalogEntry, placeOf } from '../catalog.ts';
import { createIgnoreReader, type Excluded } from './ignore.ts';
import {
  explainUnreadable,
  type IdentifiedJob,
  type JobFile,
  type JobState,
  readJobState,
  unusable,
} from './job-state.ts';
import { hashFiles } from './revision.ts';

type Snapshot = {
  readonly revision: string;
  readonly dir: string;
  /** The stamp that the job's config.yaml had in the source. */
  readonly configStamp: string | undefined;
};
export type Snapshots = ReturnType<typeof createSnapshots>;

const touchMs = 600_000;
/** How many times to copy a directory: if it changes while it is copied, it is copied again. */
const attemptLimit = 10;
const nothing = () => {};

/** For each job, one copy may be in progress and one may be waiting. All further callers share the waiting copy. */
type Copies = { running: Promise<unknown>; next: Promise<Snapshot> | undefined };

/**
 * Leaves out the same files as the catalog, so that both find the same revision. `dir` is left out when it lies inside
 * a source.
 */
export function createSnapshots(o: Excluded & { readonly dir: string }) {
  const ignoreOf = createIgnoreReader(o);
  const taken = new Map<string, { readonly signature: string; readonly snapshot: Snapshot }>();
  const copiesByDir = new Map<string, Copies>();
  /**
   * When each revision was last marked as used. This stays small, because few revisions are used while a process lives.
   */
  const touchedAtMs = new Map<string, number>();

  function dirOf(revision: string): string {
    invariant(/^[0-9a-f]{16}$/.test(revision), 'a revision is 16 hex digits');
    return join(o.dir, revision);
  }

  function findTaken(entry: CatalogEntry, state: JobState): Snapshot | undefined {
    const known = taken.get(entry.dir);
    return known?.signature === state.signature && existsSync(known.snapshot.dir) ? known.snapshot : undefined;
  }

  /**
   * Returns a copy of the job's directory as it is now. Checks the job's files each time, and copies them only if they
   * have changed. The mtime of the copy says when the copy was last used, accurate to ten minutes.
   * @throws Problem job-invalid, job-not-found
   */
  async function take(entry: CatalogEntry): Promise<Snapshot> {
    const snapshot = findTaken(entry, await readJobState(placeOf(entry, ignoreOf))) ?? (await takeSerially(entry));
    await touch(snapshot);
    return snapshot;
  }

  /** Retention keeps whatever was used within the last hour, so ten minutes are exact enough. */
  async function touch({ revision, dir }: Pick<Snapshot, 'revision' | 'dir'>): Promise<void> {
    const nowMs = performance.now();
    const before = touchedAtMs.get(revision);
    if (before !== undefined && nowMs - before < touchMs) return;
    touchedAtMs.set(revision, nowMs);
    const now = systemClock.now() / 1000;
    await utimes(dir, now, now);
  }

  /**
   * Waits for a copy that begins now. A copy that is already being made may lack the very edit that the caller wants to
   * run.
   */
  function takeSerially(entry: CatalogEntry): Promise<Snapshot> {
    const copies: Copies = copiesByDir.get(entry.dir) ?? { running: Promise.resolve(), next: undefined };
    copiesByDir.set(entry.dir, copies);
    if (copies.next) return copies.next;
    const copying = copies.running.then(() => {
      copies.next = undefined;
      return copyWhole(entry);
    });
    copies.next = copying;
    copies.running = copying.then(nothing, nothing);
    return copying;
  }

  async function copyWhole(entry: CatalogEntry): Promise<Snapshot> {
    const job = placeOf(entry, ignoreOf);
    for (let attempt = 0; attempt < attemptLimit; attempt++) {
      const state = await readJobState(job);
      const snapshot = findTaken(entry, state) ?? (await copyInto(o.dir, job, state));
      if (!snapshot) continue;
      if (state.isSettled) taken.set(entry.dir, { signature: state.signature, snapshot });
      return snapshot;
    }
    throw unusable(job, 'its folder keeps changing');
  }

  return { take, dirOf };
}

/**
 * Puts copies in place one at a time. If two jobs with the same files are copied at once, the second copy must not
 * replace the first.
 */
const placing = createSerial();

/** Returns undefined when the directory changed while it was copied. */
async function copyInto(snapshotsDir: string, job: IdentifiedJob, state: JobState): Promise<Snapshot | undefined> {
  makeFolders([snapshotsDir], 0o755);
  const draft = await mkdtemp(join(snapshotsDir, '.draft-'));
  try {
    await chmod(draft, 0o755);
    const revision = await hashFiles(state.files, (file) => createCopy(draft, file));
    if (revision === undefined || (await readJobState(job)).signature !== state.signature) return undefined;
    const dir = join(snapshotsDir, revision);
    await placing.run(async () => {
      if (await isComplete(dir, state.files)) return;
      await rm(dir, { recursive: true, force: true });
      // A run that was created survives a power failure, so the files that it will execute must be on the disk first.
      for (const folder of foldersOf(state.files)) await syncFolder(join(draft, folder));
      await rename(draft, dir);
      await syncFolder(snapshotsDir);
    });
    return { revision, dir, configStamp: state.configStamp };
  } catch (error) {
    throw explainUnreadable(job, state.files, error);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Jobs may run as another user, so the umask must not decide the mode. */
async function createCopy(draft: string, file: JobFile) {
  const path = join(draft, file.path);
  const parents: string[] = [];
  for (let parent = dirname(path); parent !== draft; parent = dirname(parent)) parents.push(parent);
  await mkdir(dirname(path), { recursive: true });
  for (const parent of parents) await chmod(parent, 0o755);
  const copy = await open(path, 'wx');
  await copy.chmod(file.isExecutable ? 0o755 : 0o644);
  return {
    write: (chunk: Buffer) => copy.write(chunk),
    async close() {
      try {
        await copy.sync();
      } finally {
        await copy.close();
      }
    },
  };
}

/** All folders of a copy, including its own: `.`. */
function foldersOf(files: readonly JobFile[]): Set<string> {
  const folders = new Set(['.']);
  for (const { path } of files) {
    for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) folders.add(folder);
  }
  return folders;
}

/** Whether the copy still has all files. Another program may have removed some of them. */
async function isComplete(dir: string, files: readonly JobFile[]): Promise<boolean> {
  for (const file of files) {
    const stat = await lstat(join(dir, file.path)).catch(() => undefined);
    if (stat?.size !== file.sizeBytes) return false;
  }
  return existsSync(dir);
}
