// Backs up an instance while its server runs. It copies the database as it is at one moment, and then the files that
// the copied database names (ADR 0013).

import { existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { systemClock, toTimestamp } from '../../lib/clock.ts';
import { errorCode } from '../../lib/error-code.ts';
import { createFolder } from '../../lib/files/create-folder.ts';
import { syncDisk } from '../../lib/files/sync-folder.ts';
import { shardOf } from '../../lib/ids.ts';
import { isUnreadable } from '../../lib/shortage.ts';
import { StartError } from '../../lib/start-error.ts';
import { removalMs } from '../log/log-damage.ts';
import { isNoZstd, isWholeSegment, segmentPath } from '../log/log-segment.ts';
import { assertHasTables } from '../sqlite/offline.ts';
import { explainOpening, isDatabaseFull } from '../sqlite/sqlite-files.ts';
import {
  copyFile,
  type DamagedFile,
  databaseFile,
  keyFiles,
  type Manifest,
  manifestFile,
  openSums,
  type Sum,
  type SumsWriter,
  sumOf,
  sumsFile,
} from './backup-files.ts';
import { explainWriting } from './explain-writing.ts';

/** The places of an instance. A backup copies the files there, and a restore replaces them. */
export type Places = {
  readonly dataDir: string;
  readonly dbPath: string;
  readonly logsDir: string;
  readonly artifactsDir: string;
  readonly snapshotsDir: string;
  readonly runsDir: string;
  readonly secretKeyFile: string;
  readonly signingKeyFile: string;
};

export type BackupRequest = {
  readonly places: Places;
  /** A folder that is empty or does not exist. */
  readonly destination: string;
  readonly includesKey: boolean;
  readonly version: string;
};

export type BackupSummary = {
  readonly files: number;
  readonly bytes: number;
  /** How many files are missing because retention removed them while the backup was taken. */
  readonly missing: number;
  /**
   * The damaged files of the instance, each with what is wrong. The backup contains them as they are, except for files
   * that are missing or cannot be read.
   */
  readonly damaged: readonly string[];
};

type Copying = {
  readonly copy: DatabaseSync;
  readonly destination: string;
  readonly sums: SumsWriter;
  readonly isKept: IsKept;
  readonly damaged: DamagedFile[];
  readonly absent: NamedFile[];
  missing: number;
};

type NamedFile = {
  readonly from: string;
  /** The path in the backup. */
  readonly name: string;
  readonly what: string;
  /** Whether the instance still has the row of the file. If it does, retention has not removed the file. */
  readonly isKept: () => boolean;
};

type IsKept = {
  readonly artifact: (id: string) => boolean;
  readonly segment: (runId: string, n: number) => boolean;
};

const allPages = 2 ** 31 - 1;
const busyTimeoutMs = 5_000;
const unzip = promisify(zstdDecompress);

/**
 * @throws StartError if the backup cannot be taken, or a Problem not-ready if the disk that it is written to is full
 */
export async function createBackup(request: BackupRequest): Promise<BackupSummary> {
  const { places, destination } = request;
  const isNew = !existsSync(destination);
  let isOwn = false;
  try {
    await makeEmpty(destination, places);
    isOwn = true;
    return await copyInstance(request);
  } catch (error) {
    // Removes an incomplete backup. It could be mistaken for a complete one, and the next backup needs an empty folder.
    if (isOwn) await removeCopied(destination, isNew).catch(() => undefined);
    throw explainWriting(error, {
      dir: destination,
      isWritten: (written) => written.startsWith(destination),
      fix: 'free space there, or choose a folder on another disk',
    });
  }
}

async function removeCopied(destination: string, isNew: boolean): Promise<void> {
  if (isNew) return rm(destination, { recursive: true, force: true });
  for (const name of await readdir(destination)) await rm(join(destination, name), { recursive: true, force: true });
}

async function copyInstance(request: BackupRequest): Promise<BackupSummary> {
  const { places, destination } = request;
  const createdAtMs = systemClock.now();
  const path = join(destination, databaseFile);
  await copyDatabase(places.dbPath, path).catch((error: unknown) => {
    throw isDatabaseFull(error, destination) ? error : explainOpening(error, places.dbPath);
  });
  const copy = new DatabaseSync(path, { readOnly: true });
  const source = new DatabaseSync(places.dbPath, { timeout: busyTimeoutMs });
  try {
    assertHasTables(copy, places.dbPath);
    const sums = openSums(destination);
    sums.add(databaseFile, await sumOf(path));
    const copying: Copying = { copy, destination, sums, isKept: isKeptIn(source), damaged: [], absent: [], missing: 0 };
    await copyLogs(copying, places.logsDir);
    await copyOpenLogs(copying, places.logsDir);
    await copyArtifacts(copying, places.artifactsDir, createdAtMs);
    await copySnapshots(copying, places.snapshotsDir);
    if (request.includesKey) await copyKeys(copying, places);
    await sums.close();
    await recordMissing(copying);
    const manifest: Manifest = {
      format: 1,
      flwd: request.version,
      created_at: toTimestamp(createdAtMs),
      schema: Number(copy.prepare('PRAGMA user_version').get()?.user_version),
      files: sums.files,
      bytes: sums.bytes,
      sums_sha256: (await sumOf(join(destination, sumsFile))).sha256,
      has_key: request.includesKey,
      damaged: copying.damaged,
    };
    await syncDisk(destination);
    await writeFile(join(destination, manifestFile), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600 });
    await syncDisk(destination);
    return {
      files: sums.files,
      bytes: sums.bytes,
      missing: copying.missing,
      damaged: copying.damaged.map(({ what }) => what),
    };
  } finally {
    source.close();
    copy.close();
  }
}

/** Copies the key files. Skips a key that the instance has never created. */
async function copyKeys({ destination, sums }: Copying, places: Places): Promise<void> {
  for (const [name, place] of Object.entries(keyFiles)) {
    if (existsSync(places[place])) sums.add(name, await copyFile(places[place], join(destination, name)));
  }
}

async function makeEmpty(destination: string, places: Places): Promise<void> {
  await createFolder(destination);
  const real = await realpath(destination);
  for (const own of [places.dataDir, dirname(places.logsDir), dirname(places.artifactsDir)]) {
    const place = await realpath(own);
    if (real === place || real.startsWith(place + sep)) {
      throw new StartError(`a backup inside ${own} is lost with it; choose a folder on another disk`);
    }
  }
  const names = await readdir(real);
  if (names.includes(databaseFile) && !names.includes(manifestFile))
    throw new StartError(
      `${destination} has an incomplete backup, without ${manifestFile}; remove it, or choose a new folder`,
    );
  if (names.length > 0) throw new StartError(`${destination} is not empty; choose a new folder`);
}

/** Copies the database in one read transaction. Otherwise the copy would start again whenever the server writes. */
async function copyDatabase(from: string, to: string): Promise<void> {
  await (await open(to, 'wx', 0o600)).close();
  const source = new DatabaseSync(from, { timeout: busyTimeoutMs });
  try {
    await backup(source, to, { rate: allPages });
  } finally {
    source.close();
  }
  // Turns the copy into a single file, so that it can be read from read-only media.
  const copy = new DatabaseSync(to);
  try {
    copy.exec('PRAGMA journal_mode = DELETE');
    const [found] = copy.prepare('PRAGMA quick_check(1)').all();
    const said = Object.values(found ?? {})[0];
    if (said !== 'ok')
      throw new StartError(
        `the database ${from} is damaged: ${String(said).split('\n').join(' ')}; an earlier backup may be intact`,
      );
  } finally {
    copy.close();
  }
}

async function copyLogs(o: Copying, logsDir: string): Promise<void> {
  const segments = o.copy.prepare('SELECT run_id, n, encoding, raw_bytes FROM log_segments');
  for (const row of segments.iterate()) {
    const { runId, n } = segmentOf(row);
    const encoding = row.encoding === 'raw' ? 'raw' : 'zstd';
    const name = segmentPath('logs', runId, n, encoding);
    const what = `the log of ${runId}, ${name}`;
    const isKept = (): boolean => o.isKept.segment(runId, n);
    const sum = await copyNamed(o, { from: segmentPath(logsDir, runId, n, encoding), name, what, isKept });
    if (sum && !(await isWholeSegment(join(o.destination, name), { encoding, rawBytes: Number(row.raw_bytes) })))
      o.damaged.push({ name, what: `${what}, is damaged` });
  }
}

/** Copies the log segments of running runs, if the segments have no row in the database yet. */
async function copyOpenLogs(o: Copying, logsDir: string): Promise<void> {
  const runs = o.copy
    .prepare(
      `SELECT id AS run_id, (SELECT coalesce(max(n), 0) FROM log_segments WHERE run_id = runs.id) AS n
         FROM runs WHERE status = 'running'`,
    )
    .all();
  for (const row of runs) {
    const { runId, n: last } = segmentOf(row);
    for (let n = last + 1; await copyPlain(o, logsDir, runId, n); n++);
  }
}

/**
 * Copies a segment as a plain file, even if it has been compressed in the meantime. The copied database has no row
 * which says that it is compressed. Returns false if there is no such segment.
 */
async function copyPlain(o: Copying, logsDir: string, runId: string, n: number): Promise<boolean> {
  const name = segmentPath('logs', runId, n, 'raw');
  const target = join(o.destination, name);
  const what = `the log of ${runId}, ${name}`;
  try {
    o.sums.add(name, await copyFile(segmentPath(logsDir, runId, n, 'raw'), target));
    return true;
  } catch (error) {
    if (isUnreadable(error)) {
      await leaveOut(o, name, what);
      return true;
    }
    if (errorCode(error) !== 'ENOENT') throw error;
  }
  let plain: Buffer;
  try {
    plain = await unzip(await readFile(segmentPath(logsDir, runId, n, 'zstd')));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    if (!isUnreadable(error) && !isNoZstd(error)) throw error;
    await leaveOut(o, name, what);
    return true;
  }
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  await writeFile(target, plain, { flag: 'wx', mode: 0o600 });
  o.sums.add(name, await sumOf(target));
  return true;
}

async function copyArtifacts(o: Copying, artifactsDir: string, nowMs: number): Promise<void> {
  const kept = o.copy.prepare('SELECT id, name, sha256 FROM artifacts WHERE expires_at IS NULL OR expires_at > ?');
  for (const row of kept.iterate(nowMs)) {
    const id = String(row.id);
    const file = join(shardOf(id), id);
    const what = `the artifact ${id} (${JSON.stringify(row.name)})`;
    const isKept = (): boolean => o.isKept.artifact(id);
    const name = join('artifacts', file);
    const sum = await copyNamed(o, { from: join(artifactsDir, file), name, what, isKept });
    if (sum && sum.sha256 !== row.sha256) o.damaged.push({ name, what: `${what} has changed since it was stored` });
  }
}

async function copySnapshots(o: Copying, snapshotsDir: string): Promise<void> {
  for (const revision of (await readdir(snapshotsDir).catch(noneWhereMissing)) ?? []) {
    if (!/^[0-9a-f]{16}$/.test(revision)) continue;
    const copied: [string, Awaited<ReturnType<typeof copyFile>>][] = [];
    try {
      for (const entry of await readdir(join(snapshotsDir, revision), { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const from = join(entry.parentPath, entry.name);
        const name = join('snapshots', from.slice(snapshotsDir.length + 1));
        copied.push([name, await copyFile(from, join(o.destination, name))]);
      }
    } catch (error) {
      const name = join('snapshots', revision);
      if (isUnreadable(error)) await leaveOut(o, name, `the revision ${revision} of a job`);
      else if (errorCode(error) === 'ENOENT') {
        await rm(join(o.destination, name), { recursive: true, force: true });
        o.missing += 1;
      } else throw error;
      continue;
    }
    for (const [name, sum] of copied) o.sums.add(name, sum);
  }
}

/** Copies a file. If the copy fails because the file is damaged or missing, records that and returns undefined. */
async function copyNamed(o: Copying, file: NamedFile): Promise<Sum | undefined> {
  try {
    const sum = await copyFile(file.from, join(o.destination, file.name));
    o.sums.add(file.name, sum);
    return sum;
  } catch (error) {
    if (isUnreadable(error)) await leaveOut(o, file.name, file.what);
    else if (errorCode(error) === 'ENOENT') o.absent.push(file);
    else throw error;
    return undefined;
  }
}

/** Removes a partial copy of a file that cannot be read or decompressed, and records that the file is damaged. */
async function leaveOut(o: Copying, name: string, what: string): Promise<void> {
  await rm(join(o.destination, name), { recursive: true, force: true });
  o.damaged.push({ name, what: `${what}, cannot be read` });
}

/**
 * Decides which missing files count as damage. Retention removes a file first and its row a moment later, so a missing
 * file counts as damage only if its row stays.
 */
async function recordMissing(o: Copying): Promise<void> {
  if (o.absent.some(({ isKept }) => isKept())) await delay(removalMs);
  for (const { name, what, isKept } of o.absent) {
    if (isKept()) o.damaged.push({ name, what: `${what}, is missing` });
    else o.missing += 1;
  }
}

function isKeptIn(source: DatabaseSync): IsKept {
  const artifact = source.prepare('SELECT 1 FROM artifacts WHERE id = ? AND (expires_at IS NULL OR expires_at > ?)');
  const segment = source.prepare(
    `SELECT 1 FROM log_segments WHERE run_id = ? AND n = ?
       AND NOT EXISTS (SELECT 1 FROM expired_logs WHERE expired_logs.run_id = log_segments.run_id)`,
  );
  return {
    artifact: (id) => artifact.get(id, systemClock.now()) !== undefined,
    segment: (runId, n) => segment.get(runId, n) !== undefined,
  };
}

function segmentOf(row: Readonly<Record<string, unknown>>): { runId: string; n: number } {
  return { runId: String(row.run_id), n: Number(row.n) };
}

function noneWhereMissing(error: unknown): undefined {
  if (errorCode(error) !== 'ENOENT') throw error;
  return undefined;
}
