// Puts a backup in the place of an instance: all of it is verified before anything is touched (ADR 0013).

import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { errorCode } from '../../lib/error-code.ts';
import { syncDisk } from '../../lib/files/sync-folder.ts';
import { StartError } from '../../lib/start-error.ts';
import { assertKnownSchema } from '../migrations/migrate.ts';
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
  restoredDamageFile,
  sumOf,
  sumsFile,
} from './backup-files.ts';

export type RestoreRequest = {
  readonly places: Places;
  readonly source: string;
  /** Replaces what is there. */
  readonly force: boolean;
  /** What goes on, in words. */
  readonly onProgress: (message: string) => void;
};

export type RestoreSummary = {
  readonly createdAt: string;
  readonly files: number;
  /** Were running: they end as `lost`. */
  readonly running: number;
  /** Were waiting: they start, although they may have run after the backup was taken. */
  readonly pending: number;
  /** Were not revoked, and are of use again if they have been since. */
  readonly tokens: number;
  /** What was damaged already when the backup was taken, each with what is wrong. */
  readonly damaged: readonly string[];
};

/** The ids given out after the backup stood for other events: none may be given again. */
const idJump = 1_000_000_000;

/** To be called by the owner of the data dir. @throws StartError where nothing was changed */
export async function restoreBackup({ places, source, force, onProgress }: RestoreRequest): Promise<RestoreSummary> {
  const manifest = await readManifest(source);
  onProgress(`checking ${manifest.files} files of ${manifest.created_at}`);
  await verify(source, manifest);
  const taken = await takenPlaces(places);
  if (taken.length > 0 && !force) {
    throw new StartError(`there is data already: ${taken.join(', ')}; --force replaces it`);
  }
  for (const end of ['', '-wal', '-shm']) await rm(places.dbPath + end, { force: true });
  for (const dir of [places.logsDir, places.artifactsDir, places.snapshotsDir, places.runsDir]) {
    await rm(dir, { recursive: true, force: true });
  }
  onProgress('copying');
  const opened = new Set<string>();
  const { damaged = [] } = manifest;
  const restoredDamage: RestoredDamage[] = [];
  for await (const { path, sha256 } of readSums(source)) {
    if (path === databaseFile) continue;
    for (const file of damaged) if (file.name === path) restoredDamage.push({ ...file, sha256 });
    const target = targetOf(path, places);
    if (isKeyFile(path)) await rm(target, { force: true });
    await copyFile(join(source, path), target);
    if (path.startsWith('snapshots/'))
      for (const folder of foldersAbove(target, places.snapshotsDir)) opened.add(folder);
  }
  // Jobs may run as another user.
  for (const folder of opened) await chmod(folder, 0o755);
  const draft = `${places.dbPath}.restoring`;
  await rm(draft, { force: true });
  await copyFile(join(source, databaseFile), draft);
  const found = await prepareDatabase(draft, places);
  await keepDamage(places, restoredDamage);
  await syncDisk(places.dataDir);
  // Last: before it there is no instance, and after it a whole one.
  await rename(draft, places.dbPath);
  await syncDisk(dirname(places.dbPath));
  return { createdAt: manifest.created_at, files: manifest.files, damaged: damaged.map(({ what }) => what), ...found };
}

async function readManifest(source: string): Promise<Manifest> {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(await readFile(join(source, manifestFile), 'utf8'));
  } catch (error) {
    if (errorCode(error) === undefined) throw new StartError(`${source}/${manifestFile} is damaged`);
    throw new StartError(`${source} is no whole backup: ${manifestFile} cannot be read (${errorCode(error)})`);
  }
  if (manifest.format !== 1) throw new StartError(`${source} was made by a newer flwd: restore it with that one`);
  assertKnownSchema(manifest.schema);
  return manifest;
}

async function verify(source: string, manifest: Manifest): Promise<void> {
  const errors: string[] = [];
  const check = async (path: string, sha256: string): Promise<void> => {
    try {
      if ((await sumOf(join(source, path))).sha256 !== sha256) errors.push(`${path} has changed`);
    } catch (error) {
      errors.push(`${path} cannot be read (${errorCode(error) ?? String(error)})`);
    }
  };
  await check(sumsFile, manifest.sums_sha256);
  if (errors.length === 0) {
    for await (const { path, sha256 } of readSums(source)) {
      if (normalize(path) !== path || path.startsWith('..') || path.startsWith('/')) errors.push(`${path} is no name`);
      else await check(path, sha256);
    }
  }
  if (errors.length > 0) {
    const more = errors.length > 5 ? ` and ${errors.length - 5} more` : '';
    throw new StartError(`${source} is damaged, nothing was changed: ${errors.slice(0, 5).join(', ')}${more}`);
  }
  const database = new DatabaseSync(join(source, databaseFile), { readOnly: true });
  try {
    const [found] = database.prepare('PRAGMA integrity_check(1)').all();
    const said = Object.values(found ?? {})[0];
    if (said !== 'ok')
      throw new StartError(`${source}/${databaseFile} is damaged, nothing was changed: ${String(said)}`);
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

function targetOf(path: string, places: Places): string {
  if (isKeyFile(path)) return places[keyFiles[path]];
  const [folder = '', ...rest] = path.split('/');
  const dirs: Readonly<Record<string, string>> = {
    logs: places.logsDir,
    artifacts: places.artifactsDir,
    snapshots: places.snapshotsDir,
  };
  const dir = dirs[folder];
  if (dir === undefined) throw new StartError(`a backup has no ${path}`);
  return join(dir, ...rest);
}

/** `dir` among them. */
function* foldersAbove(path: string, dir: string): Generator<string> {
  let folder = dirname(path);
  for (; folder.length > dir.length; folder = dirname(folder)) yield folder;
  yield dir;
}

async function prepareDatabase(
  path: string,
  places: Places,
): Promise<Pick<RestoreSummary, 'running' | 'pending' | 'tokens'>> {
  const database = new DatabaseSync(path);
  try {
    database.exec(`
      BEGIN;
      UPDATE sequences SET next_id = next_id + ${idJump} WHERE name = 'events';
      INSERT INTO sequences (name, next_id) SELECT 'events.kept', next_id FROM sequences WHERE name = 'events'
        ON CONFLICT (name) DO UPDATE SET next_id = excluded.next_id;
      COMMIT;
    `);
    // Its runs belong to another history, and wait for nobody's lease (ADR 0039).
    if (hasTable(database, 'owners')) database.exec('DELETE FROM owners');
    const running = database.prepare("SELECT id FROM runs WHERE status = 'running'").all();
    for (const { id } of running) await markRestored(join(places.runsDir, String(id)));
    const pending = database.prepare("SELECT count(*) AS n FROM runs WHERE status = 'pending'").get();
    return { running: running.length, pending: Number(pending?.n), tokens: countTokens(database) };
  } finally {
    database.close();
  }
}

/** A backup of an earlier version has fewer tables. */
function hasTable(database: DatabaseSync, name: string): boolean {
  return database.prepare('SELECT 1 FROM sqlite_master WHERE name = ?').get(name) !== undefined;
}

function countTokens(database: DatabaseSync): number {
  if (!hasTable(database, 'tokens')) return 0;
  return Number(database.prepare('SELECT count(*) AS n FROM tokens WHERE revoked_at IS NULL').get()?.n);
}

/** For `flwd doctor`: bytes that were changed have the size that the database says. */
async function keepDamage({ dataDir }: Places, damaged: readonly RestoredDamage[]): Promise<void> {
  const path = join(dataDir, restoredDamageFile);
  if (damaged.length === 0) await rm(path, { force: true });
  else await writeFile(path, JSON.stringify(damaged), { mode: 0o600 });
}

/** Its processes belong to another history: whoever resumes it finds it lost (exec/run-folder.ts). */
async function markRestored(runDir: string): Promise<void> {
  await mkdir(runDir, { recursive: true, mode: 0o700 });
  await writeFile(join(runDir, 'restored'), '');
}
