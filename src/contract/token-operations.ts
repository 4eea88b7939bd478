// The operations on API tokens, and their schemas.

import { Type } from 'typebox';
import { tokenNamePattern, tokenStatuses } from '../domain/access/api-token.ts';
import { jobLimitPattern } from '../domain/access/job-limit.ts';
import { secretNamePattern } from '../domain/access/secret-name.ts';
import { scopes, tenantPattern } from '../domain/principal.ts';
import { routes } from './routes.ts';
import { literals, named, nullable, page, queryOf, request, timestamp } from './schema-parts.ts';

const tokenRequest = request('TokenRequest', {
  name: Type.String({
    pattern: tokenNamePattern,
    description: 'The name of the token; no other active token may have this name',
  }),
  scopes: Type.Array(literals(scopes), { minItems: 1, maxItems: 64 }),
  tenant: Type.Optional(
    Type.String({
      pattern: `^[*]$|${tenantPattern.source}`,
      description:
        'The tenant that the token has access to, or `*` for all; by default, the caller’s own tenant, or the default tenant for a caller with all tenants',
    }),
  ),
  expires_in: Type.Optional(
    Type.String({
      maxLength: 64,
      description: 'The token expires after this time, such as `90d`; by default, it never expires',
    }),
  ),
  only: Type.Optional(
    Type.Array(Type.String({ pattern: jobLimitPattern, maxLength: 512 }), {
      minItems: 1,
      maxItems: 64,
      description:
        'The only jobs that the token can access: patterns of ids, such as `reports/**`, or `tag:NAME` for jobs of trusted ' +
        'sources with this tag; by default, all jobs. Other jobs and their runs answer 404',
    }),
  ),
  secrets: Type.Optional(
    Type.Array(Type.String({ pattern: secretNamePattern }), {
      maxItems: 64,
      description:
        'The stored secrets that the arguments of its runs may name, besides those that are defaults of the job. By ' +
        'default, all secrets; with `only`, only those defaults',
    }),
  ),
  agent: Type.Optional(
    Type.Boolean({
      description:
        'Whether the token belongs to an agent; jobs with `agents.approval` then ask a person before its runs',
    }),
  ),
  approval: Type.Optional(
    Type.Literal('always', {
      description: '`always`: each run of the token waits for a person before its first step',
    }),
  ),
});

const token = {
  id: Type.String(),
  name: Type.String(),
  scopes: Type.Array(Type.String()),
  tenant: Type.String(),
  status: literals(tokenStatuses),
  created_at: timestamp,
  created_by: Type.String(),
  expires_at: nullable(timestamp),
  last_used_at: nullable(timestamp),
  revoked_at: nullable(timestamp),
  only: nullable(Type.Array(Type.String(), { description: 'The jobs to which the token is limited; null: all jobs' })),
  secrets: nullable(Type.Array(Type.String())),
  agent: Type.Boolean(),
  approval: nullable(Type.Literal('always')),
};

const tokenCreated = named('TokenCreated', {
  ...token,
  token: Type.String({ description: 'The token itself; it cannot be shown again' }),
});

const tokenList = named('TokenList', {
  tokens: Type.Array(named('Token', token)),
  total: Type.Integer(),
  next_cursor: nullable(Type.String()),
});

export const tokenOperations = {
  createToken: {
    ...routes.createToken,
    tag: 'Tokens',
    summary: 'Create a token; it is shown only once',
    scope: 'admin',
    body: tokenRequest,
    answers: [{ status: 201, description: 'Created', content: { 'application/json': tokenCreated } }],
    problems: ['validation-error', 'permission-denied'],
    audit: {
      action: 'token.create',
      object: 'token',
      keeps: ['name', 'scopes', 'tenant', 'expires_in', 'only', 'secrets', 'agent', 'approval'],
    },
  },
  listTokens: {
    ...routes.listTokens,
    tag: 'Tokens',
    summary: 'List tokens, newest first, including revoked and expired ones',
    scope: 'admin',
    query: queryOf({
      ...page('How many tokens to return at most; 1000 by default'),
    }),
    answers: [{ status: 200, description: 'Tokens', content: { 'application/json': tokenList } }],
    problems: ['validation-error'],
  },
  revokeToken: {
    ...routes.revokeToken,
    tag: 'Tokens',
    summary: 'Revoke a token, immediately and permanently',
    scope: 'admin',
    answers: [{ status: 204, description: 'Revoked', content: {} }],
    problems: ['token-not-found'],
    audit: { action: 'token.revoke', object: 'token' },
  },
} as const;
