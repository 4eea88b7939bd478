// The files of a database: what it says of them when it cannot be opened, and whether they are still in their place. SQLite
// goes on writing to a file that was removed or moved away, where nobody finds the data again.

import { spawnSync } from 'node:child_process';
import { statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { Problem } from '../../domain/problem.ts';
import { lackOfRoom } from '../../lib/files/disk-room.ts';
import { StartError } from '../../lib/start-error.ts';
import { DatabaseFailure } from '../database.ts';

/** The message says what to do. */
class DatabaseMoved extends Error {
  override readonly name = 'DatabaseMoved';
}

/**
 * Remembers which files are at `path` now. The connection has them open, so no other file gets their numbers.
 * @returns what throws DatabaseMoved while one of them is not there: 10 µs
 */
export function watchDatabaseFiles(path: string): () => void {
  const paths = [path, `${path}-wal`, `${path}-shm`];
  const ids = new Map(paths.map((name) => [name, fileId(name)]));
  return () => {
    for (const [name, id] of ids) {
      if (fileId(name) === id) continue;
      throw new DatabaseMoved(`${name} was removed or replaced: put it back, or stop the server and restore a backup`);
    }
  };
}

function fileId(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

/** Primary codes of https://sqlite.org/rescode.html */
const codes = { error: 1, ioerr: 10, corrupt: 11, full: 13, cantOpen: 14, notADatabase: 26 };

/**
 * What SQLite's error means for the operator who opens the database at `path`, who may know the path.
 * @returns a StartError, a Problem not-ready for a full disk, or the error itself where it is about something else
 */
export function explainOpening(error: unknown, path: string): unknown {
  const code = sqliteCode(error);
  if (!(error instanceof Error) || code === undefined) return error;
  const mayBeFull = code === codes.ioerr || code === codes.cantOpen;
  if (code === codes.full || (mayBeFull && lackOfRoom(dirname(path)) !== null)) {
    return new Problem('not-ready', `the disk that holds ${path} is full; free space, or run flwd gc`);
  }
  if (damageIn(error) !== undefined) {
    const fix = 'restore a backup (flwd restore), or move the file away to begin without its runs';
    return new StartError(`the database ${path} is damaged: ${error.message}; ${fix}`);
  }
  return mayBeFull
    ? new StartError(`the database ${path} cannot be opened: ${error.message}; look at its disk`)
    : error;
}

/** In words when the file contradicts itself, or is no database. */
export function damageIn(error: unknown): string | undefined {
  const code = sqliteCode(error);
  if (!(error instanceof Error) || code === undefined) return undefined;
  const isDamage =
    code === codes.corrupt ||
    code === codes.notADatabase ||
    (code === codes.error && error.message === 'unsupported file format');
  return isDamage ? error.message : undefined;
}

/** undefined: it is not SQLite's. */
function sqliteCode(error: unknown): number | undefined {
  const own = error instanceof DatabaseFailure ? error.cause : error;
  if (!(own instanceof Error) || !('errcode' in own) || typeof own.errcode !== 'number') return undefined;
  return own.errcode & 0xff;
}

/** What a caller of SQLite cannot mend: the disk, the files. Primary codes of https://sqlite.org/rescode.html */
const storageCodes = new Set([
  5, // BUSY
  7, // NOMEM
  8, // READONLY
  10, // IOERR
  11, // CORRUPT
  13, // FULL
  14, // CANTOPEN
  26, // NOTADB
]);

/** A DatabaseFailure where the database file cannot be read or written, else the error as it is. */
export function toDatabaseFailure(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof DatabaseFailure) return error;
  const code = sqliteCode(error);
  const isStorage = error instanceof DatabaseMoved || (code !== undefined && storageCodes.has(code));
  const isDamage = damageIn(error) !== undefined;
  return isStorage || isDamage ? new DatabaseFailure(error.message, { isDamage, cause: error }) : error;
}

/** @throws DatabaseFailure where `work` finds that the database file cannot be read or written */
export function asking<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw toDatabaseFailure(error);
  }
}

/** Does `work` with the database at `path`. @throws what explainOpening says */
export async function opening<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toDatabaseFailure(explainOpening(error, path));
  }
}

const indexPageBytes = 4096;
/** Of a WAL of 32 MiB. */
const indexBytes = 256 * 1024;

/**
 * SQLite maps the index of the WAL into memory and reserves its disk space by one byte in each page of 4 KiB. Where blocks of the
 * file system are smaller, most of a page has no space, and touching it on a full disk is a SIGBUS. fallocate(1) reserves all
 * of it; where there is none, that is as it was.
 */
export function reserveIndex(path: string): void {
  if (statfsSync(dirname(path)).bsize >= indexPageBytes) return;
  spawnSync('fallocate', ['--length', String(indexBytes), `${path}-shm`], { stdio: 'ignore' });
}
