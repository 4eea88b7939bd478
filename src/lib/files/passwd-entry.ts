// A line of /etc/passwd, which `getent passwd` prints as well.

export type PasswdEntry = {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** null if the entry has no full path. */
  readonly home: string | null;
};

/** Parses a line. Returns undefined if it is not an entry. */
export function readPasswdEntry(line: string): PasswdEntry | undefined {
  const [name = '', , uid = '', gid = '', , home = ''] = line.split(':');
  if (name === '' || !isId(uid) || !isId(gid)) return undefined;
  return { name, uid: Number(uid), gid: Number(gid), home: home.startsWith('/') ? home : null };
}

function isId(text: string): boolean {
  return /^\d+$/.test(text);
}
