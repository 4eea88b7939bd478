// Who is calling, what they may do, and which tenant's objects they see.

import type { JobLimit } from './access/job-limit.ts';
import { Problem } from './problem.ts';

/** The form of a tenant's name. */
export const tenantPattern = /^[a-z0-9][a-z0-9_-]{0,62}$/;

export const scopes = [
  'jobs:read',
  'code:read',
  'runs:read',
  'runs:write',
  'runs:approve',
  'artifacts:read',
  'sources:read',
  'sources:write',
  'schedules:write',
  'secrets:write',
  'kv:read',
  'kv:write',
  'metrics:read',
  'audit:read',
  'admin',
] as const;
export type Scope = (typeof scopes)[number];

/**
 * `local` is the server's own user on loopback. `schedule`, `webhook` and `trigger` start runs of their job. `mcp` is
 * an agent that acts for another caller.
 */
export type PrincipalKind = 'local' | 'token' | 'jwt' | 'schedule' | 'webhook' | 'trigger' | 'mcp' | 'anonymous';

export type Principal = {
  readonly kind: PrincipalKind;
  /**
   * A token's name, `jwt:` and the subject, `local`, `schedule:` and its id, `webhook:` and its name, `trigger:` and
   * its id, or `mcp:` and the name of the caller. No two kinds can share a name.
   */
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** `*` means every tenant. */
  readonly tenant: string;
  /** For `token`: a name can be given again once its token has been revoked, an id never. */
  readonly tokenId?: string;
  /**
   * For `mcp`: the caller that the agent acts for. The agent's requests count towards the caller's limits, and it loses
   * its access when the caller does.
   */
  readonly actsFor?: Principal;
  /** The jobs that the principal may know; by default, all jobs. */
  readonly jobs?: JobLimit;
  /**
   * The stored secrets that the principal may name in arguments, besides those in the job's defaults; by default, all.
   */
  readonly secrets?: readonly string[];
  readonly isAgent?: boolean;
  /** Each run of the principal waits for a person before its first step. */
  readonly asksAlways?: boolean;
  /** For `schedule` and `webhook`: the id of the limited token that made it. */
  readonly madeBy?: string;
};

/** Who has started a run, for the rule that somebody else must answer (ADR 0067). */
export type Starter = {
  /** The id of the caller's token, or of the token that made the schedule or the webhook; without a token, a name. */
  readonly account: string;
  readonly isAgent: boolean;
};

/** The server's own user on loopback. */
export const localPrincipal: Principal = { kind: 'local', name: 'local', scopes, tenant: '*' };

/** An unknown caller, who may read what is public. */
export const anonymous: Principal = { kind: 'anonymous', name: 'anonymous', scopes: [], tenant: '' };

/** Scopes that no agent gets: it could answer its own approvals, read what it should not know, or widen its rights. */
const neverOfAgents: readonly Scope[] = ['runs:approve', 'secrets:write', 'admin'];
/**
 * The scopes that a caller who is limited to jobs may have: all others concern the whole instance or a whole tenant.
 */
export const jobScopes: readonly Scope[] = [
  'jobs:read',
  'code:read',
  'runs:read',
  'runs:write',
  'runs:approve',
  'artifacts:read',
  'schedules:write',
];
export const agentScopes = scopes.filter((scope) => !neverOfAgents.includes(scope));

/** The scopes of an agent, unless the person who starts it chooses others. */
export const usualAgentScopes: readonly Scope[] = ['jobs:read', 'runs:write', 'artifacts:read'];

/**
 * Returns the caller as an agent, with only those of its scopes that are wanted and that agents may have (ADR 0064).
 */
export function asAgent(caller: Principal, wanted: readonly Scope[]): Principal {
  const allowed = { scopes: wanted.filter((scope) => agentScopes.includes(scope)) };
  return {
    kind: 'mcp',
    name: `mcp:${caller.name}`,
    scopes: agentScopes.filter((scope) => holdsScope(allowed, scope) && holdsScope(caller, scope)),
    tenant: caller.tenant,
    actsFor: caller,
    isAgent: true,
    ...restrictionsOf(caller),
  };
}

type Restrictions = Pick<Principal, 'jobs' | 'secrets' | 'asksAlways'>;

/** Whose limits apply to the runs of a schedule or a webhook (ADR 0067). */
export type Binding = {
  /** null: the limits do not come from a token. */
  readonly tokenId: string | null;
  readonly isAgent: boolean;
};

/** Returns null if nothing limits the principal, because then nothing limits what it makes. */
export function bindingOf(principal: Principal): Binding | null {
  const { isAgent = false } = principal;
  if (!isAgent && Object.keys(restrictionsOf(principal)).length === 0) return null;
  return { tokenId: accountOf(principal).tokenId ?? null, isAgent };
}

/** Returns what limits the principal beyond its scopes and its tenant. */
function restrictionsOf({ jobs, secrets, asksAlways }: Principal): Restrictions {
  return { ...(jobs && { jobs }), ...(secrets && { secrets }), ...(asksAlways && { asksAlways }) };
}

export function starterOf(principal: Principal): Starter {
  return { account: accountIdOf(principal), isAgent: principal.isAgent ?? false };
}

/** The server's own user may answer for the agent that it has started itself. */
export function isStarter(
  principal: Principal,
  run: { readonly created_by: string; readonly starter: Starter | undefined },
): boolean {
  if (principal.name === run.created_by) return true;
  const account = accountIdOf(principal);
  return account !== localPrincipal.name && account === run.starter?.account;
}

function accountIdOf(principal: Principal): string {
  const { tokenId, name } = accountOf(principal);
  return principal.madeBy ?? tokenId ?? name;
}

/** Returns the principal whose limits apply: for an agent, the caller that it acts for. */
export function accountOf(principal: Principal): Principal {
  return principal.actsFor ?? principal;
}

/** `:write` includes `:read`, `admin` includes everything. */
export function holdsScope({ scopes: held }: { readonly scopes: readonly string[] }, scope: Scope): boolean {
  return held.includes(scope) || held.includes('admin') || held.includes(scope.replace(/:read$/, ':write'));
}

/** Whose objects a caller sees: those of one tenant, or of every tenant with `*`; and of which jobs. */
export type Reach = Pick<Principal, 'tenant' | 'jobs'>;

/**
 * Whether a caller sees what belongs to a tenant and a job. For a caller who does not, it does not exist (ADR 0067).
 */
export function reaches(reach: Reach, { tenant, jobId }: { readonly tenant: string; readonly jobId: string }): boolean {
  return reachesTenant(reach, tenant) && reachesJob(reach, jobId);
}

export function reachesTenant(reach: Pick<Reach, 'tenant'>, tenant: string): boolean {
  return reach.tenant === '*' || reach.tenant === tenant;
}

/** @throws Problem permission-denied for a caller who does not see all jobs */
export function assertReachesAllJobs({ jobs }: Pick<Reach, 'jobs'>): void {
  if (!jobs) return;
  const only = jobs.only.join(', ');
  throw new Problem('permission-denied', `This affects every job, but the token is limited to ${only}.`);
}

/** Jobs have no tenant. */
export function reachesJob({ jobs }: Pick<Reach, 'jobs'>, jobId: string): boolean {
  return jobs === undefined || jobs.has(jobId);
}

/**
 * The tenant of an object that the principal creates. A principal of one tenant creates it there.
 * @throws Problem permission-denied when another tenant is requested
 */
export function tenantFor({ name, tenant }: Principal, asked: string | undefined, defaultTenant: string): string {
  assertReached({ name, tenant }, asked);
  return tenant === '*' ? (asked ?? defaultTenant) : tenant;
}

/** @throws Problem permission-denied when another tenant is requested, whether or not it exists */
export function assertReached({ name, tenant }: Pick<Principal, 'name' | 'tenant'>, asked: string | undefined): void {
  if (asked === undefined || reachesTenant({ tenant }, asked)) return;
  throw new Problem('permission-denied', `The tenant '${asked}' is not the tenant of '${name}'; leave \`tenant\` out.`);
}
