// Replaces the data of an instance with a backup. It checks the whole backup before it changes anything (ADR 0013).

import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Problem } from '../../domain/problem.ts';
import { freeBytesOf } from '../../lib/files/disk-room.ts';
import { listSome } from '../../lib/list-some.ts';
import { StartError } from '../../lib/start-error.ts';
import { sizeWords } from '../../lib/units.ts';
import { hasTable } from '../sqlite/sqlite.ts';
import type { Places } from './backup.ts';
import { copyFile, databaseFile, isKeyFile, keyFiles, type RestoredDamage, sumOf } from './backup-files.ts';
import { type CheckedBackup, checkBackup, readManifest } from './check-backup.ts';
import { explainWriting } from './explain-writing.ts';
import {
  assertReplaceable,
  damageDraft,
  draftsOf,
  type FixedFolders,
  findFixed,
  finishSwap,
  foldersIn,
  type Move,
  movesOf,
  realPlaces,
  removeLeft,
  swapIn,
} from './restore-swap.ts';

export type RestoreRequest<T> = {
  readonly places: Places;
  readonly source: string;
  /** Whether to replace the data of the instance, if there is any. */
  readonly force: boolean;
  /** A file that exists while the restore replaces the files of the instance. */
  readonly unfinishedFile: string;
  /** Whether the files of a folder are exactly those of a revision of a job. */
  readonly isRevision: (dir: string, revision: string) => Promise<boolean>;
  /** Called with a message that says what the restore does next. */
  readonly onProgress: (message: string) => void;
  /**
   * Makes the last changes to the database before it is put in place. The result is stored as JSON, so it must contain
   * only values that JSON can represent.
   */
  readonly complete: (draft: Pick<Places, 'dbPath' | 'secretKeyFile'>, createdAt: string) => Promise<T>;
};

export type RestoreSummary = {
  readonly createdAt: string;
  readonly files: number;
  /** How many runs were running when the backup was taken. They end as `lost`. */
  readonly running: number;
  /** How many runs were waiting. They start now, although they may already have run after the backup was taken. */
  readonly pending: number;
  /** How many tokens were not revoked when the backup was taken. They work again, even if they were revoked later. */
  readonly tokens: number;
  /** Files that were already damaged when the backup was taken, each with what is wrong. */
  readonly damaged: readonly string[];
  /** Files that do not match the checksums of the backup, each with what is wrong. */
  readonly damagedSince: readonly string[];
};

/**
 * The restored instance skips this many event ids, so that it never reuses an id that was assigned after the backup.
 */
const idJump = 1_000_000_000;
const blockBytes = 4096;
/**
 * Extra disk space besides the copies: for the WAL while the schema is upgraded, for folders, and for the files of
 * `markRestored`.
 */
const moreBytes = 2 ** 20;

type Restored<T> = RestoreSummary & { readonly completed: T };

/** The content of `unfinishedFile`. Files of an earlier version of flwd lack `moves` and `damagedSince`. */
type Note<T> = {
  readonly source: string;
  readonly restored: Omit<Restored<T>, 'damagedSince'>;
  readonly moves?: readonly Move[];
};

type Copying = {
  readonly places: Places;
  readonly drafts: Places;
  readonly keptKeys: ReadonlySet<string>;
  readonly backup: CheckedBackup;
};

/**
 * Copies the backup beside the present files, and replaces these only once everything has been copied. Only the owner
 * of the data dir may call this.
 * @throws StartError, or a Problem not-ready if the disk is full; in both cases before anything was changed
 */
export async function restoreBackup<T>(o: RestoreRequest<T>): Promise<Restored<T>> {
  const places = await realPlaces(o.places);
  const earlier = await finishEarlier<T>(o, places);
  if (earlier) return earlier;
  const { source, force, onProgress, unfinishedFile } = o;
  const manifest = await readManifest(source);
  onProgress(`checking ${manifest.files} files of ${manifest.created_at}`);
  const fixed = await findFixed(places);
  const drafts = draftsOf(places, fixed);
  const needed = new Map<string, number>();
  const backup = await checkBackup(source, manifest, {
    isRevision: o.isRevision,
    onFile(path, sizeBytes) {
      const place = placeOf(path, drafts);
      needed.set(place, (needed.get(place) ?? 0) + Math.ceil(sizeBytes / blockBytes) * blockBytes);
    },
  });
  const damagedSince = [...backup.damagedSince.values()].map(({ what }) => what);
  const taken = await takenPlaces(places, fixed);
  if (taken.length > 0 && damagedSince.length > 0) throw replaceRefusal(source, damagedSince);
  if (taken.length > 0 && !force) {
    throw new StartError(`there is data already: ${taken.join(', ')}; use --force to replace it`);
  }
  const keptKeys = await findKeptKeys(source, places);
  assertReplaceable(places, fixed, keptKeys);
  await removeLeft(places);
  await assertRoom(needed);
  onProgress('copying');
  try {
    const found = await copyAll(o, { places, drafts, keptKeys, backup });
    const damaged = (manifest.damaged ?? []).map(({ what }) => what);
    const restored = { createdAt: manifest.created_at, damaged, damagedSince, ...found };
    await swapIn(places, { fixed, unfinishedFile, note: { source, restored } });
    return restored;
  } catch (error) {
    if (!existsSync(unfinishedFile)) await removeLeft(places).catch(() => undefined);
    const fix = 'nothing was changed: free space there, or restore into another data dir (--data-dir)';
    // `complete` could not write because the disk was full.
    if (error instanceof Problem && error.slug === 'not-ready')
      throw new Problem('not-ready', `the disk that holds ${places.dbPath} is full; ${fix}`);
    throw explainWriting(error, { dir: places.dataDir, isWritten: (path) => !path.startsWith(source), fix });
  }
}

/**
 * Finishes an earlier restore that was killed while it replaced files. If the earlier restore used the same backup as
 * this one, returns its result, because nothing is left to do.
 */
async function finishEarlier<T>(o: RestoreRequest<T>, places: Places): Promise<Restored<T> | undefined> {
  if (!existsSync(o.unfinishedFile)) return undefined;
  const note: Note<T> = JSON.parse(await readFile(o.unfinishedFile, 'utf8'));
  const { source, restored } = note;
  o.onProgress(`finishing the interrupted restore of ${source}`);
  await finishSwap(places, o.unfinishedFile, note.moves ?? (await movesOf(places, new Map())));
  return source === o.source ? { damagedSince: [], ...restored } : undefined;
}

/** Writes all new files beside the files that they will replace. */
async function copyAll<T>(
  { source, complete }: RestoreRequest<T>,
  { places, drafts, keptKeys, backup }: Copying,
): Promise<Pick<Restored<T>, 'files' | 'running' | 'pending' | 'tokens' | 'completed'>> {
  const { manifest, files, damagedSince } = backup;
  const opened = new Set([drafts.snapshotsDir]);
  const { damaged = [] } = manifest;
  const restoredDamage: RestoredDamage[] = [];
  let copiedFiles = 0;
  for (const dir of foldersIn(drafts)) await mkdir(dir, { recursive: true, mode: 0o700 });
  for await (const { path, sha256 } of files()) {
    copiedFiles += 1;
    if (keptKeys.has(placeOf(path, places))) continue;
    const since = damagedSince.get(path);
    if (since?.isCertain) restoredDamage.push({ name: path, what: since.what, sha256 });
    else for (const file of damaged) if (file.name === path) restoredDamage.push({ ...file, sha256 });
    const target = targetOf(path, drafts);
    const copied = await copyFile(join(source, path), target);
    if (copied.sha256 !== sha256)
      throw new StartError(`${source}/${path} changed while it was copied; nothing was restored: try again`);
    if (path.startsWith('snapshots/'))
      for (const folder of foldersAbove(target, drafts.snapshotsDir)) opened.add(folder);
  }
  // Other users may enter these folders, because a job may run as another user.
  for (const folder of opened) await chmod(folder, 0o755);
  // `flwd doctor` compares only sizes. It needs this list to report files of the right size with changed bytes.
  if (restoredDamage.length > 0) await writeFile(damageDraft(places), JSON.stringify(restoredDamage), { mode: 0o600 });
  const found = await prepareDatabase(drafts);
  const { secretKeyFile } = existsSync(drafts.secretKeyFile) ? drafts : places;
  const completed = await complete({ dbPath: drafts.dbPath, secretKeyFile }, manifest.created_at);
  return { ...found, files: copiedFiles, completed };
}

/**
 * Refuses to replace existing data with a damaged backup, because the data may be the only other copy of the damaged
 * files.
 */
function replaceRefusal(source: string, damagedSince: readonly string[]): StartError {
  return new StartError(
    `the backup ${source} is damaged: ${listSome(damagedSince)}; nothing was changed: ` +
      'a damaged backup does not replace data; to restore the rest of it, move the present data away, or choose another data dir (--data-dir)',
  );
}

async function takenPlaces(places: Places, fixed: FixedFolders): Promise<string[]> {
  const taken = existsSync(places.dbPath) ? [places.dbPath] : [];
  for (const dir of foldersIn(places)) {
    const names = fixed.get(dir) ?? (await readdir(dir).catch(() => []));
    if (names.length > 0) taken.push(dir);
  }
  return taken;
}

/**
 * Returns the key files that need not be replaced: those that the backup lacks, and those with the same content in the
 * backup. A container may mount key files, and a mount cannot be replaced.
 */
async function findKeptKeys(source: string, places: Places): Promise<ReadonlySet<string>> {
  const kept = new Set<string>();
  for (const [name, key] of Object.entries(keyFiles)) {
    const theirs = await sumOf(join(source, name)).catch(() => undefined);
    const present = await sumOf(places[key]).catch(() => undefined);
    if (theirs === undefined || theirs.sha256 === present?.sha256) kept.add(places[key]);
  }
  return kept;
}

/** Returns the file or folder of the instance to which a file of the backup belongs. */
function placeOf(path: string, places: Places): string {
  if (isKeyFile(path)) return places[keyFiles[path]];
  if (path === databaseFile) return places.dbPath;
  const [kind] = path.split('/', 1);
  if (kind === 'logs') return places.logsDir;
  return kind === 'artifacts' ? places.artifactsDir : places.snapshotsDir;
}

function targetOf(path: string, places: Places): string {
  return join(placeOf(path, places), ...path.split('/').slice(1));
}

/**
 * Checks that the new files fit on the disk beside the old ones.
 * @throws Problem not-ready
 */
async function assertRoom(needed: ReadonlyMap<string, number>): Promise<void> {
  const disks = new Map<number, { dir: string; bytes: number }>();
  for (const [place, bytes] of needed) {
    let dir = dirname(place);
    while (!existsSync(dir)) dir = dirname(dir);
    const { dev } = await stat(dir);
    const disk = disks.get(dev) ?? { dir, bytes: moreBytes };
    disks.set(dev, { ...disk, bytes: disk.bytes + bytes });
  }
  for (const { dir, bytes } of disks.values()) {
    const freeBytes = freeBytesOf(dir);
    if (freeBytes === null || freeBytes >= bytes) continue;
    throw new Problem(
      'not-ready',
      `the restore needs ${sizeWords(bytes)} beside the present data, and the disk that holds ${dir} has ${sizeWords(freeBytes)} free: ` +
        `${sizeWords(bytes - freeBytes)} more are needed; nothing was changed: free space there, or restore into another data dir (--data-dir)`,
    );
  }
}

/** Yields the folders between `path` and `dir`, and then `dir` itself. */
function* foldersAbove(path: string, dir: string): Generator<string> {
  let folder = dirname(path);
  for (; folder.length > dir.length; folder = dirname(folder)) yield folder;
  yield dir;
}

async function prepareDatabase({
  dbPath,
  runsDir,
}: Places): Promise<Pick<RestoreSummary, 'running' | 'pending' | 'tokens'>> {
  const database = new DatabaseSync(dbPath);
  try {
    database.exec(`
      BEGIN;
      UPDATE sequences SET next_id = next_id + ${idJump} WHERE name = 'events';
      INSERT INTO sequences (name, next_id) SELECT 'events.kept', next_id FROM sequences WHERE name = 'events'
        ON CONFLICT (name) DO UPDATE SET next_id = excluded.next_id;
      COMMIT;
    `);
    // The restored runs must not wait for leases from before the restore (ADR 0039). A backup of an earlier version may
    // lack this table.
    if (hasTable(database, 'owners')) database.exec('DELETE FROM owners');
    const running = database.prepare("SELECT id FROM runs WHERE status = 'running'").all();
    for (const { id } of running) await markRestored(join(runsDir, String(id)));
    const pending = database.prepare("SELECT count(*) AS n FROM runs WHERE status = 'pending'").get();
    return { running: running.length, pending: Number(pending?.n), tokens: countTokens(database) };
  } finally {
    database.close();
  }
}

function countTokens(database: DatabaseSync): number {
  if (!hasTable(database, 'tokens')) return 0;
  return Number(database.prepare('SELECT count(*) AS n FROM tokens WHERE revoked_at IS NULL').get()?.n);
}

/**
 * Marks a run whose processes were started before the restore. When it is resumed, it ends as lost
 * (exec/run-folder.ts).
 */
async function markRestored(runDir: string): Promise<void> {
  await mkdir(runDir, { recursive: true, mode: 0o700 });
  await writeFile(join(runDir, 'restored'), '');
}
