// Who besides this user, and root, has a say in a file: its owner, and whoever its mode lets write.

type Owned = { readonly uid: number; readonly gid: number; readonly mode: number };

export function isAnothers({ uid }: Pick<Owned, 'uid'>): boolean {
  return uid !== 0 && uid !== process.geteuid?.();
}

/** The group with the number of the owner is the owner's own: what a umask of 002 leaves open to it is open to nobody else. */
export function isWritableByOthers({ uid, gid, mode }: Owned): boolean {
  return (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && gid !== uid);
}

export function showMode({ mode }: Pick<Owned, 'mode'>): string {
  return (mode & 0o777).toString(8).padStart(3, '0');
}
