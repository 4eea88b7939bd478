// Restores a backup in place of an instance. Verifies the whole backup before it changes anything (ADR 0013).

import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { errorCode } from '../../lib/error-code.ts';
import { syncDisk } from '../../lib/files/sync-folder.ts';
import { StartError } from '../../lib/start-error.ts';
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
  restoredDamageFile,
  sumOf,
  sumsFile,
} from './backup-files.ts';

export type RestoreRequest = {
  readonly places: Places;
  readonly source: string;
  /** Replaces existing data. */
  readonly force: boolean;
  /** Called with what the restore does next, in words. */
  readonly onProgress: (message: string) => void;
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

/** Call it only as the owner of the data dir. @throws StartError before anything was changed */
export async function restoreBackup({ places, source, force, onProgress }: RestoreRequest): Promise<RestoreSummary> {
  const manifest = await readManifest(source);
  onProgress(`checking ${manifest.files} files of ${manifest.created_at}`);
  await verify(source, manifest);
  const taken = await takenPlaces(places);
  if (taken.length > 0 && !force) {
    throw new StartError(`there is data already: ${taken.join(', ')}; use --force to replace it`);
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
  // Last, so that there is either no instance or a whole one.
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
    throw new StartError(`${source} is not a complete backup: ${manifestFile} cannot be read (${errorCode(error)})`);
  }
  if (manifest.format !== 1) throw new StartError(`${source} was made by a newer flwd: restore it with that version`);
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
      if (normalize(path) !== path || path.startsWith('..') || path.startsWith('/'))
        errors.push(`${path} is not a valid path`);
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
  if (dir === undefined) throw new StartError(`the backup has an unexpected file: ${path}`);
  return join(dir, ...rest);
}

/** The folders between `path` and `dir`, and `dir` itself. */
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
    // The restored runs must not wait for leases from before the restore (ADR 0039).
    // A backup of an earlier version has fewer tables.
    if (hasTable(database, 'owners')) database.exec('DELETE FROM owners');
    const running = database.prepare("SELECT id FROM runs WHERE status = 'running'").all();
    for (const { id } of running) await markRestored(join(places.runsDir, String(id)));
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

/** `flwd doctor` compares sizes only, so it needs this list to find files with changed bytes. */
async function keepDamage({ dataDir }: Places, damaged: readonly RestoredDamage[]): Promise<void> {
  const path = join(dataDir, restoredDamageFile);
  if (damaged.length === 0) await rm(path, { force: true });
  else await writeFile(path, JSON.stringify(damaged), { mode: 0o600 });
}

/** Marks a run whose processes belong to the time before the restore: it resumes as lost (exec/run-folder.ts). */
async function markRestored(runDir: string): Promise<void> {
  await mkdir(runDir, { recursive: true, mode: 0o700 });
  await writeFile(join(runDir, 'restored'), '');
}
