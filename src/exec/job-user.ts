// The user that a job runs as (ADR 0006).

import type { SecurityProfile } from '../domain/job.ts';

/** `nobody`: owns nothing on the host. */
const unprivilegedUid = 65_534;

const serverUid = process.getuid?.() ?? unprivilegedUid;

/** A server that is root changes the user of what it starts and owns; any other can only start jobs as itself. */
export const isServerRoot = serverUid === 0;

export function uidOf(profile: SecurityProfile): number {
  return changesUser(profile) ? unprivilegedUid : serverUid;
}

/** Does the job run as another user than the server? */
export function changesUser(profile: SecurityProfile): boolean {
  return isServerRoot && profile !== 'disabled';
}
