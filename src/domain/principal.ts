// Who is calling, what they may do, and whose things they see.

import { Problem } from './problem.ts';

export const scopes = [
  'jobs:read',
  'runs:read',
  'runs:write',
  'runs:approve',
  'artifacts:read',
  'sources:read',
  'sources:write',
  'schedules:write',
  'secrets:write',
  'metrics:read',
  'audit:read',
  'admin',
] as const;
export type Scope = (typeof scopes)[number];

/** `local`: the server's own user on loopback. `schedule`: a schedule that starts a run. */
export type PrincipalKind = 'local' | 'token' | 'jwt' | 'schedule' | 'anonymous';

export type Principal = {
  readonly kind: PrincipalKind;
  /** A token's name, `jwt:` and the subject, `local`, `schedule:` and its id: no two kinds can have one name. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** `*`: every tenant. */
  readonly tenant: string;
};

/** The server's own user on loopback. */
export const localPrincipal: Principal = { kind: 'local', name: 'local', scopes, tenant: '*' };

/** Nobody known; may read what is public. */
export const anonymous: Principal = { kind: 'anonymous', name: 'anonymous', scopes: [], tenant: '' };

/** `:write` includes `:read`, `admin` includes all. */
export function holdsScope({ scopes: held }: { readonly scopes: readonly string[] }, scope: Scope): boolean {
  return held.includes(scope) || held.includes('admin') || held.includes(scope.replace(/:read$/, ':write'));
}

/** Whose things somebody sees: one tenant's, or with `*` every one's. A principal has one. */
export type Reach = Pick<Principal, 'tenant'>;

/** What is another tenant's does not exist for the principal. */
export function reaches(reach: Reach, tenant: string): boolean {
  return reach.tenant === '*' || reach.tenant === tenant;
}

/**
 * Whose thing it is that a principal makes: who belongs to a tenant makes it there.
 * @throws Problem permission-denied where another one is asked for
 */
export function tenantFor({ name, tenant }: Principal, asked: string | undefined, defaultTenant: string): string {
  assertReached({ name, tenant }, asked);
  return tenant === '*' ? (asked ?? defaultTenant) : tenant;
}

/** @throws Problem permission-denied where another tenant is asked for, whether there is one of that name or not */
export function assertReached({ name, tenant }: Pick<Principal, 'name' | 'tenant'>, asked: string | undefined): void {
  if (asked === undefined || reaches({ tenant }, asked)) return;
  throw new Problem('permission-denied', `The tenant '${asked}' is not that of '${name}'; leave \`tenant\` out.`);
}
