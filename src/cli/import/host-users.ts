// The users of this host.

import { readFileSync } from 'node:fs';
import { ownHome, ownUserName } from '../../lib/files/own-user.ts';
import { readPasswdEntry } from '../../lib/files/passwd-entry.ts';

export type HostUser = { readonly uid: number; readonly home: string | null };

/** Reads the users of /etc/passwd, and adds the current user. Other users of a directory service are left out. */
export function readHostUsers(): ReadonlyMap<string, HostUser> {
  const own: [string, HostUser] = [ownUserName(), { uid: process.getuid?.() ?? 0, home: ownHome() }];
  try {
    const entries = readFileSync('/etc/passwd', 'utf8').split('\n').map(readPasswdEntry);
    return new Map([own, ...entries.flatMap((entry): [string, HostUser][] => (entry ? [[entry.name, entry]] : []))]);
  } catch {
    return new Map([own]);
  }
}
