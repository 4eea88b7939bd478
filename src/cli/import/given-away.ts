// Root may import into the folder of a server that runs as another user, which must be able to read the jobs.

import { closeSync, constants, fchownSync, openSync, statSync } from 'node:fs';

export type Owner = { readonly uid: number; readonly gid: number };

/** Who gets what root writes below the folder; undefined if that is nobody else. */
export function ownerBelow(folder: string): Owner | undefined {
  const { uid, gid } = statSync(folder);
  return process.getuid?.() === 0 && uid !== 0 ? { uid, gid } : undefined;
}

/** Never follows a link, because the folder's owner could have put one there. */
export function giveTo(path: string, { uid, gid }: Owner): void {
  const opened = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    fchownSync(opened, uid, gid);
  } finally {
    closeSync(opened);
  }
}
