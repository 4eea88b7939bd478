// The user that jobs run as (ADR 0006).

import type { SecurityProfile } from '../domain/job.ts';

/** `nobody`: owns nothing on the host. */
const unprivilegedUid = 65_534;

const serverUid = process.getuid?.() ?? unprivilegedUid;

/** A server that is root changes the user of its jobs. Any other server can only start jobs as its own user. */
export const isServerRoot = serverUid === 0;

export function uidOf(profile: SecurityProfile): number {
  return changesUser(profile) ? unprivilegedUid : serverUid;
}

/** Whether the job runs as another user than the server. */
export function changesUser(profile: SecurityProfile): boolean {
  return isServerRoot && profile !== 'disabled';
}
