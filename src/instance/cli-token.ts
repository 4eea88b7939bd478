// With `cli.token` in the data dir, a command proves that it comes from the server's own user, wherever the server
// listens and whatever credentials it asks others for. Created at each start, removed when the server ends.

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../lib/error-code.ts';

/** May only be called by the owner of the data dir. @returns the token */
export function writeCliToken(dataDir: string): string {
  // An import of node:crypto takes 5 ms, which callers that only read would have to wait for. The global `crypto` would
  // load Node's Web Crypto as well, for as long again.
  const token = `flwd_cli_${process.getBuiltinModule('node:crypto').randomBytes(32).toString('hex')}`;
  const draft = `${fileIn(dataDir)}.new`;
  // A file left by a crash may have another mode.
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

/** If another process owns the data dir by now, the file has its token and stays. */
export function removeCliToken(dataDir: string, token: string): void {
  if (readCliToken(dataDir) === token) rmSync(fileIn(dataDir), { force: true });
}

function fileIn(dataDir: string): string {
  return join(dataDir, 'cli.token');
}
