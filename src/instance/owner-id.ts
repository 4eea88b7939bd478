// The file `owner.id` in the data dir. Servers on this folder own runs under the id in the file (ADR 0039). The file
// also contains its own inode, so that a copy of the folder gets another id.

import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../lib/error-code.ts';
import { syncFolderNow } from '../lib/files/sync-folder.ts';

const form = /^(owner_[0-9a-f-]{36}) (\d+)\n$/;

/**
 * Reads the id. Creates the file if it is missing, or if it is a copy. Only the owner of the data dir may call this.
 */
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
