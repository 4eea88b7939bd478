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
 * `local` is the user who runs the server and calls it from the same machine. `schedule`, `webhook` and `trigger` start
 * runs of the job that they belong to. `mcp` is an agent that acts for another caller.
 */
export type PrincipalKind = 'local' | 'token' | 'jwt' | 'schedule' | 'webhook' | 'trigger' | 'mcp' | 'anonymous';

export type Principal = {
  readonly kind: PrincipalKind;
  /**
   * For a token, its name. For any other kind, the kind itself (`local`), or the kind and a colon. After the colon
   * comes the subject (`jwt`), the id (`schedule`, `trigger`), the name (`webhook`), or the caller's name (`mcp`). Two
   * principals of different kinds never have the same name.
   */
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** `*` means every tenant. */
  readonly tenant: string;
  /** For `token`. After a token has been revoked, a new token may get its name, but never its id. */
  readonly tokenId?: string;
  /**
   * For `mcp`: the caller that the agent acts for. The agent's requests count towards this caller's limits. When the
   * caller loses access, the agent loses it, too.
   */
  readonly actsFor?: Principal;
  /** The jobs that the principal may see; by default, all jobs. */
  readonly jobs?: JobLimit;
  /**
   * The stored secrets that the principal may name in arguments; by default, all. The defaults of a job may name
   * others.
   */
  readonly secrets?: readonly string[];
  readonly isAgent?: boolean;
  /** True if a person must approve each run that the principal starts, before its first step. */
  readonly asksAlways?: boolean;
  /** For `schedule` and `webhook`: the id of the token that made the schedule or webhook, if the token has limits. */
  readonly madeBy?: string;
};

/** Who has started a run. A job can require that somebody else answers its approvals (ADR 0067). */
export type Starter = {
  /**
   * The id of the caller's token, or of the token that made the schedule or webhook. If there is no token, the caller's
   * name.
   */
  readonly account: string;
  readonly isAgent: boolean;
};

/** The user who runs the server and calls it from the same machine. */
export const localPrincipal: Principal = { kind: 'local', name: 'local', scopes, tenant: '*' };

/** An unknown caller, who may read what is public. */
export const anonymous: Principal = { kind: 'anonymous', name: 'anonymous', scopes: [], tenant: '' };

/**
 * The scopes that no agent gets. With them, an agent could answer its own approvals, replace secrets or extend its own
 * rights.
 */
const neverOfAgents: readonly Scope[] = ['runs:approve', 'secrets:write', 'admin'];
/**
 * The scopes that a caller who is limited to some jobs may have. All others concern the whole instance or a whole
 * tenant.
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

/** The scopes that an agent gets, unless the person who starts it chooses others. */
export const usualAgentScopes: readonly Scope[] = ['jobs:read', 'runs:write', 'artifacts:read'];

/**
 * Returns the principal of an agent that acts for the caller. It gets the scopes that the caller has, that are wanted,
 * and that agents may have (ADR 0064).
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

/** The limits of the caller who made a schedule or a webhook. They apply to its runs (ADR 0067). */
export type Binding = {
  /** null means that the caller used no token. */
  readonly tokenId: string | null;
  readonly isAgent: boolean;
};

/** Returns null if nothing limits the principal. Then nothing limits the schedules and webhooks that it makes. */
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

/** The user who runs the server may answer an approval of a run that the user's own agent has started. */
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

/** Returns the principal whose limits apply to the requests. For an agent, that is the caller that it acts for. */
export function accountOf(principal: Principal): Principal {
  return principal.actsFor ?? principal;
}

/** A scope that ends in `:write` includes the same scope with `:read`. `admin` includes every scope. */
export function holdsScope({ scopes: held }: { readonly scopes: readonly string[] }, scope: Scope): boolean {
  return held.includes(scope) || held.includes('admin') || held.includes(scope.replace(/:read$/, ':write'));
}

/**
 * Which objects a caller sees: those of one tenant, or those of all tenants if `tenant` is `*`. If `jobs` is set, the
 * caller sees only what belongs to these jobs.
 */
export type Reach = Pick<Principal, 'tenant' | 'jobs'>;

/**
 * Whether a caller sees what belongs to this tenant and job. Otherwise it looks to the caller as if it did not exist
 * (ADR 0067).
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
  throw new Problem('permission-denied', `This request affects every job, but the token is limited to ${only}.`);
}

/** Whether the caller sees the job. Jobs themselves belong to no tenant. */
export function reachesJob({ jobs }: Pick<Reach, 'jobs'>, jobId: string): boolean {
  return jobs === undefined || jobs.has(jobId);
}

/**
 * Returns the tenant of an object that the principal creates. A principal of one tenant can create objects only in that
 * tenant.
 * @throws Problem permission-denied if the principal asks for another tenant
 */
export function tenantFor({ name, tenant }: Principal, asked: string | undefined, defaultTenant: string): string {
  assertReached({ name, tenant }, asked);
  return tenant === '*' ? (asked ?? defaultTenant) : tenant;
}

/** @throws Problem permission-denied if the principal asks for another tenant, whether or not that tenant exists */
export function assertReached({ name, tenant }: Pick<Principal, 'name' | 'tenant'>, asked: string | undefined): void {
  if (asked === undefined || reachesTenant({ tenant }, asked)) return;
  throw new Problem('permission-denied', `The tenant '${asked}' is not the tenant of '${name}'; leave \`tenant\` out.`);
}
