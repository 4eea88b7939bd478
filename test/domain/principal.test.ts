import { expect, test } from 'vitest';
import { holdsScope, localPrincipal, type Principal, reaches } from '../../src/domain/principal.ts';

const having = (...scopes: Principal['scopes']): Principal => ({
  kind: 'token',
  name: 'ci',
  scopes,
  tenant: 'default',
});

test('a write scope includes its read scope, but not the other way round', () => {
  expect(holdsScope(having('runs:write'), 'runs:read')).toBe(true);
  expect(holdsScope(having('runs:read'), 'runs:write')).toBe(false);
});

test('a principal with admin has every scope, and other principals have only their own', () => {
  expect(holdsScope(having('admin'), 'audit:read')).toBe(true);
  expect(holdsScope(having('jobs:read'), 'audit:read')).toBe(false);
});

const of = (tenant: string) => ({ tenant, jobId: 'backup' });

test('a principal reaches only its own tenant, and the operator reaches every tenant', () => {
  expect(reaches(having('admin'), of('default'))).toBe(true);
  expect(reaches(having('admin'), of('other'))).toBe(false);
  expect(reaches(localPrincipal, of('other'))).toBe(true);
});
