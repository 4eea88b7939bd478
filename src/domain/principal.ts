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

export type Principal = {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** `*`: every tenant. */
  readonly tenant: string;
};

/** The server's own user on loopback. */
export const localPrincipal: Principal = { name: 'local', scopes, tenant: '*' };

/** `:write` includes `:read`, `admin` includes all. */
export function holdsScope(principal: Principal, scope: Scope): boolean {
  const held: readonly string[] = principal.scopes;
  return held.includes(scope) || held.includes('admin') || held.includes(scope.replace(/:read$/, ':write'));
}
