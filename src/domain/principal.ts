// Who is calling, what they may do, and which tenant's objects they see.

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
  /** For `mcp`: the caller that the agent acts for. Limits count its requests too, and its end is the agent's end. */
  readonly actsFor?: Principal;
};

/** The server's own user on loopback. */
export const localPrincipal: Principal = { kind: 'local', name: 'local', scopes, tenant: '*' };

/** An unknown caller, who may read what is public. */
export const anonymous: Principal = { kind: 'anonymous', name: 'anonymous', scopes: [], tenant: '' };

/** Never given to an agent: it would answer its own approvals, read what it should not know, or widen its rights. */
const neverOfAgents: readonly Scope[] = ['runs:approve', 'secrets:write', 'admin'];
export const agentScopes = scopes.filter((scope) => !neverOfAgents.includes(scope));

/** What an agent may do unless the person who starts it says more. */
export const usualAgentScopes: readonly Scope[] = ['jobs:read', 'runs:write', 'artifacts:read'];

/** The caller as an agent, with only those of its own scopes that are wanted and that agents may have (ADR 0064). */
export function asAgent(caller: Principal, wanted: readonly Scope[]): Principal {
  const allowed = { scopes: wanted.filter((scope) => agentScopes.includes(scope)) };
  return {
    kind: 'mcp',
    name: `mcp:${caller.name}`,
    scopes: agentScopes.filter((scope) => holdsScope(allowed, scope) && holdsScope(caller, scope)),
    tenant: caller.tenant,
    actsFor: caller,
  };
}

/** Whose limits a principal uses up. */
export function accountOf(principal: Principal): Principal {
  return principal.actsFor ?? principal;
}

/** `:write` includes `:read`, `admin` includes everything. */
export function holdsScope({ scopes: held }: { readonly scopes: readonly string[] }, scope: Scope): boolean {
  return held.includes(scope) || held.includes('admin') || held.includes(scope.replace(/:read$/, ':write'));
}

/** Whose objects someone sees: those of one tenant, or with `*` of every tenant. Every principal has a reach. */
export type Reach = Pick<Principal, 'tenant'>;

/** Objects of another tenant do not exist for the principal. */
export function reaches(reach: Reach, tenant: string): boolean {
  return reach.tenant === '*' || reach.tenant === tenant;
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
  if (asked === undefined || reaches({ tenant }, asked)) return;
  throw new Problem('permission-denied', `The tenant '${asked}' is not the tenant of '${name}'; leave \`tenant\` out.`);
}
