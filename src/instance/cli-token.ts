// `cli.token` in the data dir: what makes a command of the server's own user known to a server that has the data dir,
// wherever that listens and whoever else it lets in. New at each start, gone at its end.

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../lib/error-code.ts';

/** For the owner of the data dir alone. @returns the token */
export function writeCliToken(dataDir: string): string {
  // Importing node:crypto takes 5 ms, which whoever only reads would wait for.
  const token = `flwd_cli_${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex')}`;
  const draft = `${fileIn(dataDir)}.new`;
  // One that a crash left behind may have another mode.
  rmSync(draft, { force: true });
  writeFileSync(draft, `${token}\n`, { flag: 'wx', mode: 0o600 });
  renameSync(draft, fileIn(dataDir));
  return token;
}

/** undefined: there is none, or not for this user. */
export function readCliToken(dataDir: string): string | undefined {
  try {
    return readFileSync(fileIn(dataDir), 'utf8').trim();
  } catch (error) {
    if (['ENOENT', 'EACCES'].includes(errorCode(error) ?? '')) return undefined;
    throw error;
  }
}

/** Leaves that of another process which has the data dir by now. */
export function removeCliToken(dataDir: string, token: string): void {
  if (readCliToken(dataDir) === token) rmSync(fileIn(dataDir), { force: true });
}

function fileIn(dataDir: string): string {
  return join(dataDir, 'cli.token');
}
