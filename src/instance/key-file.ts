// A file that holds a secret of the server: made once, for its user alone, and never half-written.

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { errorCode } from '../lib/error-code.ts';
import { syncFolderNow } from '../lib/files/sync-folder.ts';
import { whyUnreadable } from '../lib/files/watched-file.ts';
import { StartError } from '../lib/start-error.ts';

/**
 * What the file holds; where there is none, it is made of what `create` gives. Written aside and linked into place: of two
 * that start at once, one's key is there first and whole, and both use it.
 * @throws StartError where it cannot be read or made
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
      `the key file ${path} is not there and cannot be made (${code}): let the user that flwd runs as write to ${dirname(path)}, or put the key file there`,
    );
  }
  const made = read(path);
  if (made) return made;
  throw new StartError(`the key file ${path} was removed while flwd started: start it again`);
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

/** In the place of what is there, whole at any moment; durable when it returns. @throws what the system says */
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
      `the key file ${path} ${reason}: it must be a file that the user that flwd runs as can read; mend it, or restore it from a backup`,
    );
  }
}

function writeDurably(path: string, bytes: Buffer): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    writeSync(fd, bytes);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
