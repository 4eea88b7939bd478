// Whether the data dir can be used as it is. For its operator alone: it names the path.

import { access, constants, stat, statfs } from 'node:fs/promises';
import { fail, type HostCheck, ok, warn } from '../../domain/host-check.ts';
import { errorCode } from '../../lib/error-code.ts';
import { findLackOfRoom } from '../../lib/files/disk-room.ts';
import { formatSize } from '../../lib/units.ts';

const name = 'data dir';
const leastFreeBytes = 2 ** 30;

export async function checkDataDir(dataDir: string): Promise<HostCheck> {
  try {
    const { mode, uid } = await stat(dataDir);
    await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
    const { bavail, bsize } = await statfs(dataDir);
    const freeBytes = bavail * bsize;
    const state = `${dataDir}, mode ${(mode & 0o777).toString(8)}, ${formatSize(freeBytes)} free`;
    if ((mode & 0o077) !== 0) return warn(name, `${state}: open to other users`, `chmod 700 ${dataDir}`);
    if (uid !== process.getuid?.())
      return warn(name, `${state}: of another user (uid ${uid})`, 'run flwd as its owner');
    const found = findLackOfRoom(dataDir);
    if (found) return fail(name, `${state}: ${found.lack}; no run starts`, found.fix);
    if (freeBytes < leastFreeBytes) return warn(name, `${state}: little room`, 'flwd gc, or more disk');
    return ok(name, state);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT') return ok(name, `${dataDir} is not there yet; the first start makes it`);
    if (code === 'EACCES') return fail(name, `${dataDir} cannot be used by this user`, 'run flwd as its owner');
    throw error;
  }
}
