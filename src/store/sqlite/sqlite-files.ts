// The files of a SQLite database. Explains why they cannot be opened, and checks that they are still in place. If such
// a file is moved or removed, SQLite continues to write to it, and nobody would find the data again.

import { spawnSync } from 'node:child_process';
import { accessSync, constants, type Stats, statfsSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { Problem } from '../../domain/problem.ts';
import { errorCode } from '../../lib/error-code.ts';
import { lackOfRoom } from '../../lib/files/disk-room.ts';
import { showMode } from '../../lib/files/file-owner.ts';
import { StartError } from '../../lib/start-error.ts';
import { DatabaseFailure } from '../database.ts';

/** The message says what to do. Callers of the API see it, so it must not contain a path of the host. */
class DatabaseMoved extends Error {
  override readonly name = 'DatabaseMoved';
}

/**
 * Remembers the inode numbers of the files at `path`. As long as these files are open, no other files can get the
 * numbers.
 * @returns a function that throws DatabaseMoved if one of the files is no longer in place. It takes 10 µs
 */
export function watchDatabaseFiles(path: string): () => void {
  const paths = [path, `${path}-wal`, `${path}-shm`];
  const ids = new Map(paths.map((name) => [name, fileId(name)]));
  return () => {
    for (const [name, id] of ids) {
      if (fileId(name) === id) continue;
      const fix = 'put it back, or stop the server and restore a backup';
      throw new DatabaseMoved(`${basename(name)} was removed or replaced: ${fix}`);
    }
  };
}

function fileId(path: string): string | undefined {
  const stats = statOrNothing(path);
  return stats && `${stats.dev}:${stats.ino}`;
}

function statOrNothing(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** Primary result codes, from https://sqlite.org/rescode.html */
const codes = { error: 1, busy: 5, readonly: 8, ioerr: 10, corrupt: 11, full: 13, cantOpen: 14, notADatabase: 26 };

type Unwritable = { readonly detail: string; readonly fix: string };

/**
 * Says which file of the database this user cannot read and write, and how to fix that. Returns undefined if there is
 * no such file.
 */
export function findUnwritable(path: string): Unwritable | undefined {
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    try {
      accessSync(file, constants.R_OK | constants.W_OK);
    } catch (error) {
      const code = errorCode(error) ?? '';
      const found = unwritable(file, code);
      if (found) return found;
    }
  }
  return undefined;
}

function unwritable(file: string, code: string): Unwritable | undefined {
  const what = `the database file ${file} cannot be written`;
  if (code === 'EROFS')
    return { detail: `${what}: the file system is read-only`, fix: 'mount it for writing, or choose another data dir' };
  if (code !== 'EACCES' && code !== 'EPERM') return undefined;
  const stats = statOrNothing(file);
  if (stats && stats.uid !== process.geteuid?.())
    return {
      detail: `${what}: it belongs to another user, uid ${stats.uid}`,
      fix: 'run flwd as the owner of the data dir, and chown the file to that user',
    };
  if (!stats)
    return { detail: `${what}: this user may not enter its folder`, fix: 'run flwd as the owner of the data dir' };
  return { detail: `${what}: its mode is ${showMode(stats)}`, fix: `chmod 600 ${file}` };
}

const permissionCodes = ['EACCES', 'EPERM', 'EROFS'];

/**
 * Explains an error of SQLite to the operator who opens the database at `path`. The message may contain the path.
 * @returns a StartError, a Problem not-ready if the disk is full, or any other error unchanged
 */
export function explainOpening(error: unknown, path: string): unknown {
  const code = sqliteCode(error);
  const isDenied =
    code === codes.readonly || code === codes.cantOpen || permissionCodes.includes(errorCode(error) ?? '');
  const denied = isDenied ? findUnwritable(path) : undefined;
  if (denied) return new StartError(`${denied.detail}; ${denied.fix}`);
  if (!(error instanceof Error) || code === undefined) return error;
  if (isLocked(error)) {
    const fix = 'end that program, or wait until it is done, and try again';
    return new StartError(`the database ${path} is locked by another program, such as sqlite3 or a backup; ${fix}`);
  }
  if (isDatabaseFull(error, dirname(path))) {
    return new Problem('not-ready', `the disk that holds ${path} is full; free space, or run flwd gc`);
  }
  if (damageIn(error) !== undefined) {
    const fix = 'restore a backup (flwd restore), or move the file away to start without its runs';
    return new StartError(`the database ${path} is damaged: ${error.message}; ${fix}`);
  }
  return code === codes.ioerr || code === codes.cantOpen
    ? new StartError(`the database ${path} cannot be opened: ${error.message}; check its disk`)
    : error;
}

/** Whether the error means that the disk of the database is full. `dir` is the folder of the database. */
export function isDatabaseFull(error: unknown, dir: string): boolean {
  const code = sqliteCode(error);
  const mayBeFull = code === codes.ioerr || code === codes.cantOpen;
  return code === codes.full || (mayBeFull && lackOfRoom(dir) !== null);
}

/** Whether another program holds a lock on the database. */
export function isLocked(error: unknown): boolean {
  return sqliteCode(error) === codes.busy;
}

/** Returns SQLite's message if it means that the file is damaged or is not a database. */
export function damageIn(error: unknown): string | undefined {
  const code = sqliteCode(error);
  if (!(error instanceof Error) || code === undefined) return undefined;
  const isDamage =
    code === codes.corrupt ||
    code === codes.notADatabase ||
    (code === codes.error && error.message === 'unsupported file format');
  return isDamage ? error.message : undefined;
}

/** Returns the primary result code; undefined if it is not an error of SQLite. */
function sqliteCode(error: unknown): number | undefined {
  const own = error instanceof DatabaseFailure ? error.cause : error;
  if (!(own instanceof Error) || !('errcode' in own) || typeof own.errcode !== 'number') return undefined;
  return own.errcode & 0xff;
}

/** Errors of the disk or of the files. A caller cannot fix them. */
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

/**
 * Returns a DatabaseFailure if the error means that the database file cannot be read or written. Returns any other
 * error unchanged.
 */
export function toDatabaseFailure(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof DatabaseFailure) return error;
  const code = sqliteCode(error);
  const isStorage = error instanceof DatabaseMoved || (code !== undefined && storageCodes.has(code));
  const isDamage = damageIn(error) !== undefined;
  const words = isLocked(error) ? 'another program keeps the database locked' : error.message;
  return isStorage || isDamage ? new DatabaseFailure(words, { isDamage, cause: error }) : error;
}

/** @throws DatabaseFailure if `work` fails because the database file cannot be read or written */
export function asking<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw toDatabaseFailure(error);
  }
}

/**
 * Runs `work`, which opens the database at `path`.
 * @throws what `explainOpening` returns for its error
 */
export async function opening<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toDatabaseFailure(explainOpening(error, path));
  }
}

const indexPageBytes = 4096;
/** The size of the index that a WAL of 32 MiB needs. */
const indexBytes = 256 * 1024;

/**
 * Reserves disk space for the index of the WAL, which SQLite maps into memory. SQLite itself writes only one byte in
 * each page of 4 KiB. If the blocks of the file system are smaller than a page, most of the page then has no disk
 * space. On a full disk, access to it would raise SIGBUS. fallocate(1) reserves all of the space; without that program,
 * the danger remains.
 */
export function reserveIndex(path: string): void {
  if (statfsSync(dirname(path)).bsize >= indexPageBytes) return;
  spawnSync('fallocate', ['--length', String(indexBytes), `${path}-shm`], { stdio: 'ignore' });
}
