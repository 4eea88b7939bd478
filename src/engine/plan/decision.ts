// Why a run got what it got, for the audit log: who chose its profile, what was asked for beyond it, and what allowed that.

import { type AuditDetail, toAuditText } from '../../domain/audit.ts';
import type { JobDefinition, SecurityProfile } from '../../domain/job.ts';
import { rootOf } from '../../domain/policy.ts';
import type { Grant } from '../../domain/run.ts';
import { formatSize } from '../../lib/units.ts';

export function decisionOf(o: {
  readonly job: JobDefinition;
  readonly source: string;
  readonly requested: SecurityProfile | undefined;
  readonly instance: SecurityProfile;
  readonly profile: SecurityProfile;
  /** In the order of the grants that have a path: the path with its links followed. */
  readonly paths: readonly string[];
  readonly grants: readonly Grant[];
  /** Of `security.paths`. */
  readonly roots: readonly string[];
}): AuditDetail {
  const { job, requested, profile, grants } = o;
  const base = job.securityProfile ?? o.instance;
  const from =
    requested !== undefined && requested !== base ? 'caller' : job.securityProfile === null ? 'instance' : 'job';
  const asked = askedBy(job, requested);
  const paths = o.paths.values();
  return {
    job_id: job.id,
    source: o.source,
    profile,
    profile_from: from,
    ...(asked && { asked }),
    ...(grants.length > 0 && {
      grants: grants.map((grant) => {
        const leave = [`security.profiles.${profile}.may_grant`, `the source '${o.source}' is trusted`];
        if (grant.kind === 'network') return { ...grant, because: leave };
        const shown = { ...grant, path: toAuditText(grant.path ?? '') };
        const root = rootOf(paths.next().value ?? '', grant.kind, o.roots);
        if (root === 'system') return { ...shown, because: ['every secure sandbox sees it'] };
        return { ...shown, because: root === undefined ? [] : [...leave, `security.paths: ${root}`] };
      }),
    }),
  };
}

/** What the job, or its caller, wants otherwise than it would be. */
function askedBy({ permissions }: JobDefinition, profile: SecurityProfile | undefined): AuditDetail | undefined {
  const { network, read, write, resources } = permissions;
  const { cpu, memoryBytes, pids, workspaceBytes } = resources;
  const asked = {
    ...(profile !== undefined && { profile }),
    ...(network !== null && { network }),
    ...(read.length > 0 && { read }),
    ...(write.length > 0 && { write }),
    ...(cpu !== null && { cpu }),
    ...(memoryBytes !== null && { memory: formatSize(memoryBytes) }),
    ...(pids !== null && { pids }),
    ...(workspaceBytes !== null && { workspace: formatSize(workspaceBytes) }),
  };
  return Object.keys(asked).length === 0 ? undefined : asked;
}
