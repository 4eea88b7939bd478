// Restores a backup in place of an instance. Verifies the whole backup before it changes anything (ADR 0013).

import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Problem } from '../../domain/problem.ts';
import { errorCode } from '../../lib/error-code.ts';
import { freeBytesOf } from '../../lib/files/disk-room.ts';
import { StartError } from '../../lib/start-error.ts';
import { formatSize } from '../../lib/units.ts';
import { assertKnownSchema } from '../migrations/migrate.ts';
import { hasTable } from '../sqlite/offline.ts';
import type { Places } from './backup.ts';
import {
  copyFile,
  databaseFile,
  isKeyFile,
  keyFiles,
  type Manifest,
  manifestFile,
  type RestoredDamage,
  readSums,
  sumOf,
  sumsFile,
} from './backup-files.ts';
import { explainWriting } from './explain-writing.ts';
import {
  assertReplaceable,
  damageDraft,
  draftsOf,
  finishSwap,
  realPlaces,
  removeLeft,
  swapIn,
} from './restore-swap.ts';

export type RestoreRequest<T> = {
  readonly places: Places;
  readonly source: string;
  /** Replaces existing data. */
  readonly force: boolean;
  /** Exists while the restore replaces the files of the instance. */
  readonly unfinishedFile: string;
  /** Called with what the restore does next, in words. */
  readonly onProgress: (message: string) => void;
  /** Completes the database before it is put in place. The answer must survive JSON. */
  readonly complete: (draft: Pick<Places, 'dbPath' | 'secretKeyFile'>, createdAt: string) => Promise<T>;
};

export type RestoreSummary = {
  readonly createdAt: string;
  readonly files: number;
  /** Runs that were running. They end as `lost`. */
  readonly running: number;
  /** Runs that were waiting. They start, although they may have run after the backup was taken. */
  readonly pending: number;
  /** Tokens that were not revoked when the backup was taken. They work again, even if they were revoked afterwards. */
  readonly tokens: number;
  /** Files that were already damaged when the backup was taken, each with what is wrong. */
  readonly damaged: readonly string[];
};

/** The restored instance skips this many event ids, so that ids from after the backup are never used again. */
const idJump = 1_000_000_000;
const blockBytes = 4096;
/** For what is written besides the copies: the WAL while the schema is upgraded, folders, marks. */
const moreBytes = 2 ** 20;

type Restored<T> = RestoreSummary & { readonly completed: T };

/**
 * Call it only as the owner of the data dir. Copies the backup beside the present files, and replaces these only once
 * everything is there.
 * @throws StartError, or a Problem not-ready for a full disk, before anything was changed
 */
export async function restoreBackup<T>(o: RestoreRequest<T>): Promise<Restored<T>> {
  const places = await realPlaces(o.places);
  const earlier = await finishEarlier<T>(o, places);
  if (earlier) return earlier;
  const { source, force, onProgress, unfinishedFile } = o;
  const manifest = await readManifest(source);
  onProgress(`checking ${manifest.files} files of ${manifest.created_at}`);
  const needed = await verify(source, manifest, places);
  const taken = await takenPlaces(places);
  if (taken.length > 0 && !force) {
    throw new StartError(`there is data already: ${taken.join(', ')}; use --force to replace it`);
  }
  assertReplaceable(places);
  await removeLeft(places);
  await assertRoom(needed);
  onProgress('copying');
  try {
    const found = await copyAll(o, places, manifest);
    const damaged = (manifest.damaged ?? []).map(({ what }) => what);
    const restored = { createdAt: manifest.created_at, files: manifest.files, damaged, ...found };
    await swapIn(places, unfinishedFile, { source, restored });
    return restored;
  } catch (error) {
    if (!existsSync(unfinishedFile)) await removeLeft(places).catch(() => undefined);
    const fix = 'nothing was changed: free space there, or restore into another data dir (--data-dir)';
    // `complete` found the disk full.
    if (error instanceof Problem && error.slug === 'not-ready')
      throw new Problem('not-ready', `the disk that holds ${places.dbPath} is full; ${fix}`);
    throw explainWriting(error, { dir: places.dataDir, isWritten: (path) => !path.startsWith(source), fix });
  }
}

/** Finishes a restore that was killed while it replaced files. undefined unless that was all there is to do. */
async function finishEarlier<T>(o: RestoreRequest<T>, places: Places): Promise<Restored<T> | undefined> {
  if (!existsSync(o.unfinishedFile)) return undefined;
  const note: { readonly source: string; readonly restored: Restored<T> } = JSON.parse(
    await readFile(o.unfinishedFile, 'utf8'),
  );
  const { source, restored } = note;
  o.onProgress(`finishing the interrupted restore of ${source}`);
  await finishSwap(places, o.unfinishedFile);
  return source === o.source ? restored : undefined;
}

/** Writes all files beside those that they will replace. */
async function copyAll<T>(
  { source, complete }: RestoreRequest<T>,
  places: Places,
  manifest: Manifest,
): Promise<Pick<Restored<T>, 'running' | 'pending' | 'tokens' | 'completed'>> {
  const drafts = draftsOf(places);
  const opened = new Set([drafts.snapshotsDir]);
  const { damaged = [] } = manifest;
  const restoredDamage: RestoredDamage[] = [];
  for (const dir of [drafts.logsDir, drafts.artifactsDir, drafts.snapshotsDir, drafts.runsDir])
    await mkdir(dir, { recursive: true, mode: 0o700 });
  for await (const { path, sha256 } of readSums(source)) {
    for (const file of damaged) if (file.name === path) restoredDamage.push({ ...file, sha256 });
    const target = targetOf(path, drafts);
    const copied = await copyFile(join(source, path), target);
    if (copied.sha256 !== sha256)
      throw new StartError(`${source}/${path} changed while it was copied; nothing was restored: try again`);
    if (path.startsWith('snapshots/'))
      for (const folder of foldersAbove(target, drafts.snapshotsDir)) opened.add(folder);
  }
  // Jobs may run as another user.
  for (const folder of opened) await chmod(folder, 0o755);
  // `flwd doctor` compares sizes only, so it needs this list to find files with changed bytes.
  await writeFile(damageDraft(places), JSON.stringify(restoredDamage), { mode: 0o600 });
  const found = await prepareDatabase(drafts);
  const { secretKeyFile } = existsSync(drafts.secretKeyFile) ? drafts : places;
  return { ...found, completed: await complete({ dbPath: drafts.dbPath, secretKeyFile }, manifest.created_at) };
}

async function readManifest(source: string): Promise<Manifest> {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(await readFile(join(source, manifestFile), 'utf8'));
  } catch (error) {
    if (errorCode(error) === undefined) throw new StartError(`${source}/${manifestFile} is damaged`);
    throw new StartError(`${source} is not a complete backup: ${manifestFile} cannot be read (${errorCode(error)})`);
  }
  if (!isManifest(manifest)) throw new StartError(`${source}/${manifestFile} is damaged; nothing was restored`);
  if (manifest.format !== 1)
    throw new StartError(
      `${source} has the format ${String(manifest.format)}, which this flwd does not know: restore it with the flwd that made it, unless its ${manifestFile} is damaged`,
    );
  return manifest;
}

function isManifest(found: unknown): found is Manifest {
  if (typeof found !== 'object' || found === null) return false;
  const {
    format,
    schema,
    files,
    bytes,
    created_at: createdAt,
    sums_sha256: sums,
    ...rest
  } = found as Partial<Manifest>;
  return (
    [format, schema, files, bytes].every((number) => Number.isSafeInteger(number) && Number(number) >= 0) &&
    !Number.isNaN(Date.parse(String(createdAt))) &&
    /^[0-9a-f]{64}$/.test(String(sums)) &&
    typeof rest.has_key === 'boolean' &&
    (rest.damaged === undefined || Array.isArray(rest.damaged))
  );
}

/** Returns how many bytes the backup needs at each place. */
async function verify(source: string, manifest: Manifest, places: Places): Promise<Map<string, number>> {
  const errors: string[] = [];
  const needed = new Map<string, number>();
  const check = async (path: string, sha256: string): Promise<void> => {
    try {
      const found = await sumOf(join(source, path));
      if (found.sha256 !== sha256) errors.push(`${path} is not as it was when the backup was made`);
      if (path === sumsFile) return;
      const place = placeOf(path, places);
      needed.set(place, (needed.get(place) ?? 0) + Math.ceil(found.sizeBytes / blockBytes) * blockBytes);
    } catch (error) {
      if (error instanceof StartError) throw error;
      errors.push(`${path} cannot be read (${errorCode(error) ?? String(error)})`);
    }
  };
  await check(sumsFile, manifest.sums_sha256);
  if (errors.length === 0) {
    for await (const { path, sha256 } of readSums(source)) {
      if (normalize(path) !== path || path.startsWith('..') || path.startsWith('/'))
        errors.push(`${path} is not a valid path`);
      else await check(path, sha256);
    }
  }
  if (errors.length > 0) {
    const more = errors.length > 5 ? ` and ${errors.length - 5} more` : '';
    throw new StartError(
      `the backup ${source} is damaged: ${errors.slice(0, 5).join(', ')}${more}; nothing was restored`,
    );
  }
  const database = new DatabaseSync(join(source, databaseFile), { readOnly: true });
  try {
    const [found] = database.prepare('PRAGMA integrity_check(1)').all();
    const said = Object.values(found ?? {})[0];
    if (said !== 'ok')
      throw new StartError(`${source}/${databaseFile} is damaged: ${String(said)}; nothing was restored`);
    const schema = Number(database.prepare('PRAGMA user_version').get()?.user_version);
    assertKnownSchema(schema);
    if (schema !== manifest.schema)
      throw new StartError(`${source}/${manifestFile} is damaged: its schema is not that of ${databaseFile}`);
    return needed;
  } finally {
    database.close();
  }
}

async function takenPlaces(places: Places): Promise<string[]> {
  const taken = existsSync(places.dbPath) ? [places.dbPath] : [];
  for (const dir of [places.logsDir, places.artifactsDir, places.snapshotsDir, places.runsDir]) {
    const names = await readdir(dir).catch(() => []);
    if (names.length > 0) taken.push(dir);
  }
  return taken;
}

/** The file or folder of the instance that a file of the backup belongs to. */
function placeOf(path: string, places: Places): string {
  if (isKeyFile(path)) return places[keyFiles[path]];
  if (path === databaseFile) return places.dbPath;
  const dirs: Readonly<Record<string, string>> = {
    logs: places.logsDir,
    artifacts: places.artifactsDir,
    snapshots: places.snapshotsDir,
  };
  const dir = dirs[path.split('/', 1)[0] ?? ''];
  if (dir === undefined) throw new StartError(`the backup has an unexpected file: ${path}`);
  return dir;
}

function targetOf(path: string, places: Places): string {
  return join(placeOf(path, places), ...path.split('/').slice(1));
}

/** The new files need room beside the old ones. @throws a Problem not-ready */
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
      `the restore needs ${formatSize(bytes)} beside the present data, and the disk that holds ${dir} has ${formatSize(freeBytes)} free: ` +
        `${formatSize(bytes - freeBytes)} are missing; nothing was changed: free space there, or restore into another data dir (--data-dir)`,
    );
  }
}

/** The folders between `path` and `dir`, and `dir` itself. */
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
    // The restored runs must not wait for leases from before the restore (ADR 0039).
    // A backup of an earlier version has fewer tables.
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

/** Marks a run whose processes belong to the time before the restore: it resumes as lost (exec/run-folder.ts). */
async function markRestored(runDir: string): Promise<void> {
  await mkdir(runDir, { recursive: true, mode: 0o700 });
  await writeFile(join(runDir, 'restored'), '');
}
