// Lets root write into a folder of another user, such as the user of a server. That user can put a link there at any
// moment. So root writes with the rights of that user.

import { statSync } from 'node:fs';

export type Owner = { readonly uid: number; readonly gid: number };

/** The owner of the folder, if root is about to write into a folder of another user; otherwise undefined. */
export function otherOwner(folder: string): Owner | undefined {
  const { uid, gid } = statSync(folder);
  return process.geteuid?.() === 0 && uid !== 0 ? { uid, gid } : undefined;
}

/**
 * Calls `act` with the rights of the owner, so that what it creates belongs to the owner. The rights are those of the
 * whole process, so `act` must be synchronous.
 */
export function asOwner<T>(owner: Owner | undefined, act: () => T): T {
  if (!owner) return act();
  const own = { groups: process.getgroups?.() ?? [], gid: process.getegid?.() ?? 0 };
  process.setgroups?.([owner.gid]);
  process.setegid?.(owner.gid);
  process.seteuid?.(owner.uid);
  try {
    return act();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(own.gid);
    process.setgroups?.(own.groups);
  }
}
