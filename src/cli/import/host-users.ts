// The users of this host.

import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';

export type HostUser = { readonly uid: number; readonly home: string | null };

/** Users of a directory service are not among them, except for the current user. */
export function readHostUsers(): ReadonlyMap<string, HostUser> {
  const { username, uid, homedir } = userInfo();
  const own: [string, HostUser] = [username, { uid, home: homedir }];
  try {
    const entries = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
      .filter(([name, , number]) => name !== undefined && name !== '' && /^\d+$/.test(number ?? ''))
      .map(([name = '', , number = '', , , home = '']): [string, HostUser] => [
        name,
        { uid: Number(number), home: home.startsWith('/') ? home : null },
      ]);
    return new Map([own, ...entries]);
  } catch {
    return new Map([own]);
  }
}
