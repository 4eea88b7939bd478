// A file that holds a secret of the server. It is created once, is readable for the server's user alone, and is never
// half-written.

import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorCode } from '../lib/error-code.ts';
import { syncFolderNow } from '../lib/files/sync-folder.ts';
import { whyUnreadable } from '../lib/files/watched-file.ts';
import { StartError } from '../lib/start-error.ts';

/**
 * Reads the file. If it does not exist, creates it with the bytes that `create` returns. The new file is written under
 * another name and then linked into place. So if two servers start at once, both use the key that was linked first.
 * @throws StartError when the file can be neither read nor created
 */
export function openKeyFile(path: string, create: () => Buffer): Buffer {
  const found = read(path);
  if (found) return found;
  const bytes = create();
  try {
    make(path, bytes);
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) throw error;
    throw new StartError(
      `the key file ${path} does not exist and cannot be created (${code}): let the user of the server write to ${dirname(path)}, or put the key file there`,
    );
  }
  const made = read(path);
  if (made) return made;
  throw new StartError(`the key file ${path} was removed while flwd was starting: start it again`);
}

function make(path: string, bytes: Buffer): void {
  const draft = `${path}.${randomBytes(8).toString('hex')}`;
  writeDurably(draft, bytes);
  try {
    linkSync(draft, path);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  } finally {
    rmSync(draft);
  }
  syncFolderNow(dirname(path));
}

/** Replaces the file. It is complete at every moment, and durable when this returns. @throws errors of the system */
export function replaceKeyFile(path: string, bytes: Buffer): void {
  const place = realpathSync(path);
  const draft = `${place}.${randomBytes(8).toString('hex')}`;
  try {
    writeDurably(draft, bytes);
    renameSync(draft, place);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
  syncFolderNow(dirname(place));
}

function read(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    const reason = whyUnreadable(error);
    if (reason === undefined) throw error;
    throw new StartError(
      `the key file ${path} ${reason}: it must be a file that the user of the server can read; fix that, or restore the file from a backup`,
    );
  }
}

function writeDurably(path: string, bytes: Buffer): void {
  writeFileSync(path, bytes, { flag: 'wx', mode: 0o600, flush: true });
}
