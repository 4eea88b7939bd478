// The user that jobs run as (ADR 0006, ADR 0049).

import type { SecurityProfile } from '../domain/job.ts';
import type { RunAs } from '../domain/run.ts';

/** The uid of `nobody`, who owns nothing on the host. */
const unprivilegedUid = 65_534;

const serverUid = process.getuid?.() ?? unprivilegedUid;

/** A server that runs as root changes the user of its jobs. Any other server can only start jobs as its own user. */
export const isServerRoot = serverUid === 0;

/** `runAs` is the user that the job names. */
export function jobUser(profile: SecurityProfile, runAs: RunAs | null): Pick<RunAs, 'uid' | 'gid' | 'groups'> {
  if (runAs) return runAs;
  return changesUser(profile, runAs)
    ? { uid: unprivilegedUid, gid: unprivilegedUid, groups: [] }
    : { uid: serverUid, gid: process.getgid?.() ?? serverUid, groups: [] };
}

/** Whether the job runs as another user than the server. */
export function changesUser(profile: SecurityProfile, runAs: RunAs | null): boolean {
  return runAs !== null || (isServerRoot && profile !== 'disabled');
}
