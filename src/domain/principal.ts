// Who is calling, and what they may do.

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
export function holdsScope(principal: Principal, scope: Scope): boolean {
  const held: readonly string[] = principal.scopes;
  return held.includes(scope) || held.includes('admin') || held.includes(scope.replace(/:read$/, ':write'));
}

/** What is another tenant's does not exist for the principal. */
export function reaches(principal: Principal, tenant: string): boolean {
  return principal.tenant === '*' || principal.tenant === tenant;
}
