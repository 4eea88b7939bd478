// Finds granted paths that the job's user still cannot use, because the owner and mode of the path do not allow it.

import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Grant } from '../../domain/run.ts';
import type { GroundedPlan } from './ground.ts';

type User = { readonly uid: number; readonly groups: readonly number[] };

/**
 * Leaves out paths that an ACL may open to the user. The group's bits of the mode show the most that an ACL can allow.
 */
export async function unusableGrants({ grants, read, write, isolation, runAs }: GroundedPlan): Promise<Grant[]> {
  const { uid } = isolation;
  // The job runs as root: its profile is `disabled`, and the server runs as root.
  if (uid === 0) return [];
  const user: User = { uid, groups: runAs ? [runAs.gid, ...runAs.groups] : [] };
  const found: Grant[] = [];
  for (const [kind, paths] of [['read', read] as const, ['write', write] as const]) {
    const shown = grants.filter((grant) => grant.kind === kind);
    for (const [at, grant] of shown.entries()) {
      const path = paths[at];
      const stats = path === undefined ? undefined : await stat(path).catch(() => undefined);
      if (stats && isDenied(stats, kind, user)) found.push(grant);
    }
  }
  return found;
}

function isDenied(stats: Stats, kind: 'read' | 'write', { uid, groups }: User): boolean {
  const needed = (kind === 'read' ? 4 : 2) | (stats.isDirectory() ? 1 : 0);
  const lacks = (bits: number): boolean => (bits & needed) !== needed;
  const { mode } = stats;
  if (stats.uid === uid) return lacks(mode >> 6);
  if (groups.includes(stats.gid)) return lacks(mode >> 3);
  return lacks(mode) && lacks(mode >> 3);
}
