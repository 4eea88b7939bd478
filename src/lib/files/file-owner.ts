// Says who can write to a file besides this user and root: its owner, and the users that its mode allows.

type Owned = { readonly uid: number; readonly gid: number; readonly mode: number };

export function isAnothers({ uid }: Pick<Owned, 'uid'>): boolean {
  return uid !== 0 && uid !== process.geteuid?.();
}

/**
 * If the gid equals the uid, the group counts as the owner's own group. A umask of 002 opens files to this group and to
 * nobody else.
 */
export function isWritableByOthers({ uid, gid, mode }: Owned): boolean {
  return (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && gid !== uid);
}

/** Whether the file's mode lets every user of the host read or write it. The mode of its folder is not checked. */
export function isOpenToAll({ mode }: Pick<Owned, 'mode'>): boolean {
  return (mode & 0o006) !== 0;
}

export function showMode({ mode }: Pick<Owned, 'mode'>): string {
  return (mode & 0o777).toString(8).padStart(3, '0');
}
