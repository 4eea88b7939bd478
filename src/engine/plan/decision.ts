// Explains the decisions about a run for the audit log: who chose its profile, what else the job or its caller asked
// for, and which setting allowed it.

import { type AuditDetail, toAuditText } from '../../domain/audit.ts';
import type { JobDefinition, Network, SecurityProfile } from '../../domain/job.ts';
import type { KvPermissions } from '../../domain/kv.ts';
import { rootOf, type UsingSource } from '../../domain/policy.ts';
import type { RunAs } from '../../domain/run.ts';
import { formatSize } from '../../lib/units.ts';

export function decisionOf(o: {
  readonly job: JobDefinition;
  readonly source: string;
  readonly requested: SecurityProfile | undefined;
  readonly instance: SecurityProfile;
  readonly profile: SecurityProfile;
}): AuditDetail {
  const { job, requested, profile } = o;
  const base = job.securityProfile ?? o.instance;
  const from =
    requested !== undefined && requested !== base ? 'caller' : job.securityProfile === null ? 'instance' : 'job';
  const asked = askedBy(job, requested);
  return {
    job_id: job.id,
    source: o.source,
    profile,
    profile_from: from,
    ...(asked && { asked }),
  };
}

export type GrantedPath = {
  readonly kind: 'read' | 'write';
  /** As the author or the caller wrote it. */
  readonly shown: string;
  /** With links followed. */
  readonly path: string;
};

/** Adds to the decision what the host grants, and what allowed each grant. */
export function withGrants(
  decision: AuditDetail,
  o: {
    readonly profile: SecurityProfile;
    readonly network: Network;
    readonly kv: KvPermissions;
    readonly source: UsingSource;
    readonly granted: readonly GrantedPath[];
    readonly runAs: RunAs | null;
    /** The roots in `security.paths`. */
    readonly roots: readonly string[];
  },
): AuditDetail {
  const { name, trusted } = o.source;
  const mayGrant = `security.profiles.${o.profile}.may_grant`;
  const leave = [mayGrant, `the source '${name}' is trusted`];
  const leaveOfKv = trusted ? leave : [mayGrant, `kv of the source '${name}'`];
  const isOnline = o.profile === 'secure' && o.network === 'all';
  const grants = [
    ...(isOnline ? [{ kind: 'network', because: leave }] : []),
    ...(o.runAs ? [{ kind: 'user', user: o.runAs.user, uid: o.runAs.uid, because: ['security.run_as'] }] : []),
    ...o.granted.map(({ kind, shown, path }) => {
      const root = rootOf(path, kind, o.roots);
      const ofPath = root === undefined ? [] : [...leave, `security.paths: ${root}`];
      const because = root === 'system' ? ['every secure sandbox sees it'] : ofPath;
      return { kind, path: toAuditText(shown), because };
    }),
    ...o.kv.read.map((namespace) => ({ kind: 'kv_read', namespace, because: leaveOfKv })),
    ...o.kv.write.map((namespace) => ({ kind: 'kv_write', namespace, because: leaveOfKv })),
  ];
  return grants.length === 0 ? decision : { ...decision, grants };
}

/** What the job or its caller asks for beyond the defaults. */
function askedBy({ permissions, runAs }: JobDefinition, profile: SecurityProfile | undefined): AuditDetail | undefined {
  const { network, read, write, kv, resources } = permissions;
  const { cpu, memoryBytes, pids, workspaceBytes } = resources;
  const asked = {
    ...(profile !== undefined && { profile }),
    ...(runAs !== null && { run_as: runAs }),
    ...(network !== null && { network }),
    ...(read.length > 0 && { read }),
    ...(write.length > 0 && { write }),
    ...(kv && { kv }),
    ...(cpu !== null && { cpu }),
    ...(memoryBytes !== null && { memory: formatSize(memoryBytes) }),
    ...(pids !== null && { pids }),
    ...(workspaceBytes !== null && { workspace: formatSize(workspaceBytes) }),
  };
  return Object.keys(asked).length === 0 ? undefined : asked;
}
