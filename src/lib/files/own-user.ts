// The user of this process. In a container, the user often has no line in /etc/passwd, and Node's `userInfo` throws.

import { type UserInfo, userInfo } from 'node:os';

/** A user without a line in /etc/passwd is named by its id. */
export function ownUserName(): string {
  return entry()?.username ?? String(process.getuid?.());
}

/** Returns `HOME`, or the folder that /etc/passwd names. Otherwise returns `/`, the usual home in containers. */
export function ownHome(environment: NodeJS.ProcessEnv = process.env): string {
  return environment.HOME || entry()?.homedir || '/';
}

function entry(): UserInfo<string> | undefined {
  try {
    return userInfo();
  } catch {
    return undefined;
  }
}
