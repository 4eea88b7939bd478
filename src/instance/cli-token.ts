// The file `cli.token` in the data dir. With it, a command proves that it comes from the server's own user, wherever
// the server listens and whatever credentials it asks others for. The file is created at each start, and removed when
// the server ends.

import { readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../lib/error-code.ts';

/** Creates the file. Only the owner of the data dir may call this. @returns the token */
export function writeCliToken(dataDir: string): string {
  // An import of node:crypto takes 5 ms, for which callers that only read the token would have to wait. The global
  // `crypto` would load Node's Web Crypto too, which takes another 5 ms.
  const token = `flwd_cli_${process.getBuiltinModule('node:crypto').randomBytes(32).toString('hex')}`;
  const draft = `${fileIn(dataDir)}.new`;
  // A crash may have left a file, and the file may have another mode.
  rmSync(draft, { force: true });
  writeFileSync(draft, `${token}\n`, { flag: 'wx', mode: 0o600 });
  renameSync(draft, fileIn(dataDir));
  return token;
}

/** Reads the token. Returns undefined when there is no token, or when this user cannot read it. */
export function readCliToken(dataDir: string): string | undefined {
  try {
    return readFileSync(fileIn(dataDir), 'utf8').trim();
  } catch (error) {
    if (['ENOENT', 'EACCES'].includes(errorCode(error) ?? '')) return undefined;
    throw error;
  }
}

/**
 * Removes the file. If another process owns the data dir by now, the file has the token of that process and stays. It
 * also stays if the file system has become read-only: once the server has ended, nobody accepts the token.
 */
export function removeCliToken(dataDir: string, token: string): void {
  if (readCliToken(dataDir) !== token) return;
  try {
    // `rmSync` would report a read-only file system without its error code (Node 24.21).
    unlinkSync(fileIn(dataDir));
  } catch (error) {
    if (!['ENOENT', 'EROFS'].includes(errorCode(error) ?? '')) throw error;
  }
}

function fileIn(dataDir: string): string {
  return join(dataDir, 'cli.token');
}
