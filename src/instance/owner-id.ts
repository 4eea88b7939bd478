// `owner.id` in the data dir: the id under which servers on this folder own runs (ADR 0039). It also contains the inode
// of the file, so that a copy of the folder gets its own id.

import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../lib/error-code.ts';
import { syncFolderNow } from '../lib/files/sync-folder.ts';

const form = /^(owner_[0-9a-f-]{36}) (\d+)\n$/;

/** May only be called by the owner of the data dir. Creates the file when it is missing, or when it is a copy. */
export function openOwnerId(dataDir: string): string {
  return readOwnerId(dataDir) ?? makeOwnerId(dataDir);
}

/** Returns undefined when no server has started on this folder yet. */
export function readOwnerId(dataDir: string): string | undefined {
  let fd: number;
  try {
    fd = openSync(pathIn(dataDir), 'r');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const [, id, inode] = form.exec(readFileSync(fd, 'utf8')) ?? [];
    return inode === inodeOf(fd) ? id : undefined;
  } finally {
    closeSync(fd);
  }
}

function makeOwnerId(dataDir: string): string {
  const id = `owner_${crypto.randomUUID()}`;
  const draft = `${pathIn(dataDir)}.new`;
  rmSync(draft, { force: true });
  const fd = openSync(draft, 'wx', 0o600);
  try {
    writeSync(fd, `${id} ${inodeOf(fd)}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(draft, pathIn(dataDir));
  syncFolderNow(dataDir);
  return id;
}

function inodeOf(fd: number): string {
  return String(fstatSync(fd, { bigint: true }).ino);
}

function pathIn(dataDir: string): string {
  return join(dataDir, 'owner.id');
}
